// The bars of the review of a group: its heading with the steps to other groups, and the decisions on the whole group.

import { openHelp } from "../components/key-help.js";
import { keyOf, withKey } from "../components/keys.js";
import { kindChip } from "../components/pictures.js";
import { h, icon } from "../core/dom.js";
import { t } from "../core/text.js";
import { gainText } from "../views/groups.js";
import { progressLine } from "./progress.js";

export function head(group, name, { back, goBack, addressOf, signal }) {
  const leave = (event) => {
    event.preventDefault();
    goBack(back);
  };
  const step = (iconName, target, title) =>
    target
      ? h(
          "a",
          { class: "button square", href: addressOf(target), data: { replace: "" }, title, "aria-label": title },
          icon(iconName),
        )
      : h("button", { type: "button", class: "square", disabled: true, title, "aria-label": title }, icon(iconName));
  const summary = [t("group.images", { n: group.images.total }), gainText(group)].filter(Boolean).join(" · ");
  const helpText = withKey(t("keys.open"), "help");
  const help = h(
    "button",
    { type: "button", class: "plain square", title: helpText, "aria-label": helpText, onclick: openHelp },
    icon("keyboard", 20),
  );
  return h(
    "header",
    { class: "review-head" },
    h(
      "a",
      { class: "back", href: back, "aria-label": t("nav.groups"), onclick: leave },
      icon("left", 16),
      h("span", {}, t("nav.groups")),
    ),
    h("h1", { title: name }, name),
    h("p", { class: "quiet" }, kindChip(group.kind), h("span", {}, summary)),
    progressLine(signal),
    h(
      "span",
      { class: "steps" },
      step("left", group.previous, withKey(t("group.previous"), "previous")),
      step("right", group.following, withKey(t("group.next"), "next")),
      help,
    ),
  );
}

export function actionsBar(group, { undo: undoLast, deny: denyGroup, skip, accept }) {
  const button = (name, label, action, extra = "") =>
    h(
      "button",
      { type: "button", class: `act ${extra}`, data: { act: name }, onclick: () => action() },
      label,
      h("kbd", { "aria-hidden": "true" }, keyOf(name)),
    );
  const denyLabel = [icon("close", 17), h("span", { title: t("group.not_duplicates.help") }, t("review.deny"))];
  return h(
    "div",
    { class: "actions-bar", role: "group", "aria-label": t("review.actions") },
    button("undo", [icon("undo", 17), h("span", {}, t("action.undo"))], undoLast),
    group.kind === "exact" ? null : button("deny", denyLabel, denyGroup),
    button("skip", [icon("skip", 17), h("span", {}, t("review.skip"))], skip),
    // A scene has no proposal.
    group.scene ? null : button("accept", [icon("check", 18), h("span", {}, t("review.accept"))], accept, "primary"),
  );
}
