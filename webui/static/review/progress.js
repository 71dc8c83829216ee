// How far the review is, as a line with a bar: "412 of 3,020 decided · 8.1 GB to gain".

import { decisions, loadFigures, review } from "./decisions.js";
import { h } from "./dom.js";
import { bytes, number, t } from "./text.js";

export function progressLine(signal) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": t("review.progress") });
  const decided = h("span", {});
  const gain = h("span", { class: "quiet" });
  const line = h("div", { class: "review-progress", hidden: true }, decided, bar, gain);
  const draw = (figures) => {
    line.hidden = !figures.groups;
    bar.max = Math.max(1, figures.groups);
    bar.value = figures.decided;
    decided.textContent = t("review.decided", { done: number(figures.decided), total: number(figures.groups) });
    gain.replaceChildren(t("review.gain", { size: bytes(figures.reclaimable_bytes) }), ...(figures.images_to_act
      ? [" · ", h("a", { href: "/plan" }, t("review.planned", { size: bytes(figures.planned_bytes) }))] : []));
  };
  decisions.addEventListener("review", ({ detail }) => draw(detail), { signal });
  if (review.figures) draw(review.figures);
  loadFigures(signal).catch(() => {});
  return line;
}
