// What a view shows if a list is empty: a picture, a title, a sentence, and perhaps what to do.

import { h, icon } from "../core/dom.js";

export function emptyState(picture, title, text, action) {
  return h(
    "div",
    { class: "empty" },
    h("span", { class: "empty-picture", "aria-hidden": "true" }, icon(picture, 44)),
    h("h2", {}, title),
    h("p", {}, text),
    action,
  );
}
