// The preview of a rule: what it would decide, by which criteria, with examples.

import { thumbnail } from "../components/pictures.js";
import { get } from "../core/api.js";
import { h, icon } from "../core/dom.js";
import { bytes, number, split, t } from "../core/text.js";
import { valueText } from "../review/facts.js";

const SHOWN_SAMPLES = 6;

// Whether only a part of many groups was examined.
export const isEstimated = (result) => result.looked_at < result.selected;

export const estimatedText = (result) =>
  t("rules.estimated", { looked: number(result.looked_at), all: number(result.selected) });

// `apply(result)`, `save()` and `countAll()` are called by its buttons.
export function drawPreview(place, result, rule, { apply, save, countAll }) {
  const most = Math.max(1, ...Object.values(result.by_criterion));
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  place.replaceChildren(
    ...[
      h(
        "div",
        { class: "panel-head" },
        h("h2", {}, t("rules.preview")),
        h(
          "div",
          { class: "buttons" },
          h("button", { type: "button", onclick: save }, t("saved.save")),
          h(
            "button",
            { type: "button", class: "primary", disabled: !result.images, onclick: () => apply(result) },
            icon("check"),
            t("rules.apply"),
          ),
        ),
      ),
      h(
        "dl",
        { class: "big" },
        fact(t("rules.groups"), number(result.groups)),
        fact(t(`rules.images.${rule.choice}`), number(result.images)),
        result.bytes ? fact(t("rules.bytes"), bytes(result.bytes)) : null,
      ),
      isEstimated(result)
        ? h(
            "p",
            { class: "notice" },
            `${estimatedText(result)} `,
            h("button", { type: "button", class: "small", onclick: countAll }, t("rules.count_all")),
          )
        : null,
      result.undecided_ties ? h("p", { class: "notice" }, t("rules.tied", { n: result.undecided_ties })) : null,
      Object.keys(result.by_criterion).length
        ? [
            h("h3", {}, t("rules.decided_by")),
            h(
              "ul",
              { class: "bars" },
              Object.entries(result.by_criterion)
                .sort(([, a], [, b]) => b - a)
                .map(([criterion, n]) =>
                  h(
                    "li",
                    {},
                    h("span", {}, t(`criterion.${criterion}`)),
                    h("span", { class: "track" }, h("i", { style: { width: `${(100 * n) / most}%` } })),
                    h("span", { class: "n" }, number(n)),
                  ),
                ),
            ),
          ]
        : null,
      result.sample.length ? samples(result.sample, rule.choice) : h("p", { class: "quiet" }, t("rules.nothing")),
    ]
      .flat()
      .filter(Boolean),
  );
}

// The examples, some at a time.
function samples(all, choice) {
  const list = h("ul", { class: "samples" });
  const place = h("span", { class: "quiet", role: "status" });
  let from = 0;
  const turn = (by) =>
    h(
      "button",
      {
        type: "button",
        class: "small square",
        "aria-label": t(by < 0 ? "rules.sample.before" : "rules.sample.after"),
        onclick: () => {
          from += by;
          draw();
        },
      },
      icon(by < 0 ? "left" : "right", 16),
    );
  const before = turn(-SHOWN_SAMPLES);
  const after = turn(SHOWN_SAMPLES);
  const draw = () => {
    const shown = all.slice(from, from + SHOWN_SAMPLES);
    list.replaceChildren(...shown.map((sample) => sampleLine(sample, choice)));
    place.textContent = t("rules.sample.place", { from: from + 1, to: from + shown.length, n: all.length });
    before.disabled = from === 0;
    after.disabled = from + SHOWN_SAMPLES >= all.length;
  };
  draw();
  const steps = all.length > SHOWN_SAMPLES ? h("div", { class: "buttons sample-steps" }, before, place, after) : null;
  return [h("div", { class: "panel-head" }, h("h3", {}, t("rules.sample")), steps), list];
}

// A sample has no pictures: they are loaded with its group.
function sampleLine({ group, keeper, victims, decided_by: criterion, value }, choice) {
  const thumbs = h("span", { class: "thumbs" });
  get(`/groups/${encodeURIComponent(group)}`)
    .then(({ images: { items } }) => {
      const wanted = [keeper, ...victims].map(({ id }) => id);
      thumbs.replaceChildren(
        ...wanted
          .slice(0, 4)
          .map((id) => items.find((image) => image.id === id))
          .filter(Boolean)
          .map((image, place) =>
            h(
              "figure",
              {},
              thumbnail(image),
              h("span", { class: `mark mark-${place ? choice : "keep"}` }, icon(place ? choice : "check", 12)),
            ),
          ),
      );
    })
    .catch(() => {});
  return h(
    "li",
    {},
    h(
      "a",
      { href: `/groups/${group}` },
      thumbs,
      h(
        "span",
        {},
        h("strong", {}, split(keeper.path).name),
        h(
          "small",
          { class: "quiet" },
          criterion ? t(`because.${criterion}`, { value: valueText(criterion, value) }) : "",
        ),
      ),
    ),
  );
}
