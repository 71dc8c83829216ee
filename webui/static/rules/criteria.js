// The list of a rule's criteria, ordered by dragging or by buttons; those below the line are not used.

import { h, icon } from "../core/dom.js";
import { t } from "../core/text.js";

const DEFAULT_CRITERIA = [
  "original",
  "protected",
  "companions",
  "metadata",
  "first_coded",
  "whole",
  "coloured",
  "resolution",
  "colours",
  "first_saved",
  "lossless",
  "jpeg_quality",
  "priority",
  "taken",
  "size",
  "age",
];

// `allowed` are the names the service accepts. Changes rule.criteria in place, then calls `changed`.
export function criteriaList(rule, allowed, changed) {
  const names = allowed.length ? allowed.filter((name) => name !== "path") : DEFAULT_CRITERIA;
  rule.criteria = rule.criteria.filter((name) => names.includes(name));
  if (!rule.criteria.length) rule.criteria = [...names];
  const list = h("ol", { class: "criteria" });
  let dragged = null;
  const put = (criteria, focus = null) => {
    rule.criteria = criteria;
    draw();
    changed();
    if (focus) list.querySelector(focus)?.focus();
  };
  const moved = (name, place) => {
    const rest = rule.criteria.filter((other) => other !== name);
    return [...rest.slice(0, place), name, ...rest.slice(place)];
  };
  const line = (name, place, on) => {
    const label = t(`criterion.${name}`);
    const button = (action, iconName, text, disabled, criteria) =>
      h(
        "button",
        {
          type: "button",
          class: "plain",
          disabled,
          title: text,
          "aria-label": text,
          data: { of: `${name}-${action}` },
          onclick: () =>
            put(criteria(), `[data-of="${name}-${action}"]:not(:disabled), [data-of^="${name}-"]:not(:disabled)`),
        },
        icon(iconName, 16),
      );
    return h(
      "li",
      {
        class: on ? "" : "off",
        draggable: on,
        data: { name },
        ondragstart: (event) => {
          dragged = name;
          event.dataTransfer.effectAllowed = "move";
          event.dataTransfer.setData("text/plain", name);
          event.currentTarget.classList.add("dragged");
        },
        ondragend: (event) => {
          dragged = null;
          event.currentTarget.classList.remove("dragged");
        },
        ondragover: (event) => {
          if (dragged && on) event.preventDefault();
        },
        ondrop: (event) => {
          event.preventDefault();
          if (dragged && dragged !== name) put(moved(dragged, rule.criteria.indexOf(name)));
        },
      },
      h("span", {}, label),
      on
        ? [
            button("up", "up", t("rules.up", { name: label }), place === 0, () => moved(name, place - 1)),
            button("down", "down", t("rules.down", { name: label }), place === rule.criteria.length - 1, () =>
              moved(name, place + 1),
            ),
            button("off", "close", t("rules.remove", { name: label }), rule.criteria.length === 1, () =>
              rule.criteria.filter((other) => other !== name),
            ),
          ]
        : button("on", "plus", t("rules.add", { name: label }), false, () => [...rule.criteria, name]),
    );
  };
  const draw = () =>
    list.replaceChildren(
      ...rule.criteria.map((name, place) => line(name, place, true)),
      ...names.filter((name) => !rule.criteria.includes(name)).map((name) => line(name, -1, false)),
    );
  draw();
  return list;
}
