// The progress of the review, with a bar: "412 of 3,020 decided · 8.1 GB reclaimable".

import { h } from "../core/dom.js";
import { read, subscribe } from "../core/store.js";
import { bytes, number, t } from "../core/text.js";
import { loadFigures } from "./decisions.js";

export function progressLine(signal) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": t("review.progress") });
  const decided = h("span", {});
  const reclaimable = h("span", { class: "quiet" });
  const line = h("div", { class: "review-progress", hidden: true }, decided, bar, reclaimable);
  const draw = (figures) => {
    line.hidden = !figures.groups;
    bar.max = Math.max(1, figures.groups);
    bar.value = figures.decided;
    decided.textContent = t("review.decided", { done: number(figures.decided), total: number(figures.groups) });
    reclaimable.replaceChildren(
      ...(figures.reclaimable_bytes ? [t("review.reclaimable", { size: bytes(figures.reclaimable_bytes) })] : []),
      ...(figures.reclaimable_bytes && figures.images_to_act ? [" · "] : []),
      ...(figures.images_to_act
        ? [h("a", { href: "/plan" }, t("review.planned", { size: bytes(figures.planned_bytes) }))]
        : []),
    );
  };
  subscribe("figures", draw, { signal });
  if (read("figures")) draw(read("figures"));
  loadFigures(signal).catch(() => {});
  return line;
}
