// The end of a review: how much is decided, and what there is to do next.

import { emptyState } from "../components/empty-state.js";
import { get } from "../core/api.js";
import { h, icon } from "../core/dom.js";
import { bytes, number, t } from "../core/text.js";
import { groupAddress, groupQuery, listAddress } from "./addresses.js";
import { loadFigures } from "./decisions.js";

// The progress of the review, with Apply, the groups of the list that are still undecided, and `more`.
export async function endPanel(chosen, signal, more = null) {
  const open = { ...groupQuery(chosen), decided: "none,partly", limit: 1, images: 1 };
  const [figures, { items, total }] = await Promise.all([loadFigures(signal), get("/groups", open, signal)]);
  const counts = { done: number(figures.decided), total: number(figures.groups) };
  const apply = h(
    "a",
    { class: "button primary", href: "/plan" },
    icon("check", 17),
    figures.planned_bytes ? t("end.apply", { size: bytes(figures.planned_bytes) }) : t("plan.apply"),
  );
  const goOn = items.length
    ? h("a", { class: "button", href: groupAddress(items[0], chosen) }, t("end.open", { n: total }))
    : null;
  // On Apply, a folder can also be watched so that the decisions in it are carried out.
  const waits = figures.unwatched.reduce((sum, { images }) => sum + images, 0);
  const text = figures.images_to_act
    ? t(figures.planned_bytes ? "end.text" : "end.text.no_bytes", {
        n: figures.images_to_act,
        size: bytes(figures.planned_bytes),
      })
    : t(waits ? "end.text.no_bytes" : "plan.empty.text", { n: waits });
  return emptyState(
    "check",
    t("review.decided", counts),
    text,
    h("div", { class: "buttons" }, figures.images_to_act || waits ? apply : null, goOn, more),
  );
}

// The same instead of an empty list of undecided groups; `otherwise` returns what is shown if other filters hide the
// undecided groups.
export function endOfReview(chosen, signal, otherwise) {
  const place = h("div", {});
  const everything = h("a", { class: "button", href: listAddress({ ...chosen, decided: "" }) }, t("decided.any"));
  loadFigures(signal)
    .then(async ({ groups, decided }) => {
      const isDone = groups > 0 && decided >= groups;
      place.replaceChildren(isDone ? await endPanel({ search: chosen.search }, signal, everything) : otherwise());
    })
    .catch((error) => {
      if (error.name !== "AbortError") place.replaceChildren(otherwise());
    });
  return place;
}
