// An endless list: pages are loaded as one scrolls towards them, in both directions.

import { h } from "../core/dom.js";
import { errorText, t } from "../core/text.js";
import { columnsOf } from "./list-grid.js";

// How far outside the window a page is requested, and the least number of items in it.
const AHEAD = "1600px 0px";
const LEAST = 24;

// Fills `list` with the page `first`. `load` requests the one before or after by a {cursor} and a {limit}, and `draw`
// makes the card of an item. Returns what belongs above and below the list (`top`, `bottom`), the loaded `items`,
// `redraw(id)`, `replace(item)`, and `watch()`, to be called once all is in its place.
export function endlessList({ list, first, load, draw, signal, onLoaded = () => {} }) {
  const items = [...first.items];
  list.append(...items.map(draw));
  const ends = { before: first.previous, after: first.next };
  const marks = { before: h("div", { class: "list-end" }), after: h("div", { class: "list-end" }) };
  let busy = false;

  const observer = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries)
        if (isIntersecting) extend(target === marks.before ? "before" : "after");
    },
    { rootMargin: AHEAD },
  );

  // Observed again, a mark that is still near is reported again.
  function watch() {
    observer.disconnect();
    for (const side of ["before", "after"]) if (ends[side]) observer.observe(marks[side]);
  }

  async function extend(side) {
    if (busy || !ends[side]) return;
    busy = true;
    marks[side].replaceChildren(
      h("span", { class: "loading", role: "status", "aria-label": t("list.loading") }, dots()),
    );
    try {
      // Whole rows, so that no card moves to another column when a page is inserted before it.
      const columns = columnsOf(list);
      const page = await load({ cursor: ends[side], limit: columns * Math.ceil(LEAST / columns) });
      ends[side] = side === "before" ? page.previous : page.next;
      add(side, page.items);
      marks[side].replaceChildren();
      onLoaded(page);
      busy = false;
      watch();
    } catch (error) {
      busy = false;
      if (error.name === "AbortError") return;
      observer.disconnect();
      const again = () => extend(side);
      marks[side].replaceChildren(
        h("p", { class: "wrong" }, errorText(error)),
        h("button", { type: "button", onclick: again }, t("list.again")),
      );
    }
  }

  // A group whose place has changed may be returned again: the list has each once.
  function add(side, found) {
    const known = new Set(items.map(({ id }) => id));
    const fresh = found.filter(({ id }) => !known.has(id));
    if (side === "after") {
      items.push(...fresh);
      list.append(...fresh.map(draw));
      return;
    }
    const anchor = list.firstElementChild;
    const before = anchor?.getBoundingClientRect().top;
    items.unshift(...fresh);
    list.prepend(...fresh.map(draw));
    // If the browser has not kept the visible part in its place.
    if (anchor) scrollBy(0, anchor.getBoundingClientRect().top - before);
  }

  function redraw(id) {
    const place = items.findIndex((item) => item.id === id);
    if (place >= 0) list.children[place].replaceWith(draw(items[place]));
  }

  function replace(item) {
    const place = items.findIndex(({ id }) => id === item.id);
    if (place < 0) return;
    items[place] = item;
    redraw(item.id);
  }

  signal.addEventListener("abort", () => observer.disconnect());
  return { items, top: marks.before, bottom: marks.after, watch, redraw, replace };
}

const dots = () => [h("i", {}), h("i", {}), h("i", {})];
