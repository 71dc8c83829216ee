// Selecting by dragging a rectangle over cards with the mouse; near the edge of the window the page scrolls along.

import { h } from "../core/dom.js";

// From here on a press that moves is a drag.
const LEAST_PX = 8;
const EDGE_PX = 60;
const SCROLL_PX = 14;

// `begin(event)` gives what is selected already, `change(base, hit)` gets the cards that the rectangle touches.
// Without Shift or Ctrl the drag replaces the selection.
export function createBand({ area, signal, begin, change, cards }) {
  const NOT_FROM = "button, input, label, select, .card-text";

  area.addEventListener("dragstart", (event) => event.preventDefault(), { signal });
  area.addEventListener(
    "pointerdown",
    (event) => {
      if (event.button || event.pointerType !== "mouse" || event.target.closest(NOT_FROM)) return;
      track(event);
    },
    { signal },
  );

  function track(pressed) {
    const ending = new AbortController();
    const both = { signal: AbortSignal.any([signal, ending.signal]) };
    const from = { x: pressed.pageX, y: pressed.pageY };
    const base = pressed.shiftKey || pressed.ctrlKey || pressed.metaKey ? begin() : new Set();
    let at = pressed;
    let band = null;
    let frame = 0;

    const draw = () => {
      const [x, y] = [at.clientX + scrollX, at.clientY + scrollY];
      const box = {
        left: Math.min(from.x, x),
        top: Math.min(from.y, y),
        width: Math.abs(x - from.x),
        height: Math.abs(y - from.y),
      };
      for (const [name, value] of Object.entries(box)) band.style[name] = `${value}px`;
      const mine = band.getBoundingClientRect();
      change(
        base,
        cards().filter((card) => touches(card.getBoundingClientRect(), mine)),
      );
    };
    const scrollAlong = () => {
      const by = at.clientY < EDGE_PX ? -SCROLL_PX : at.clientY > innerHeight - EDGE_PX ? SCROLL_PX : 0;
      if (by) {
        scrollBy(0, by);
        draw();
      }
      frame = requestAnimationFrame(scrollAlong);
    };
    const move = (event) => {
      at = event;
      if (!band) {
        if (Math.hypot(event.pageX - from.x, event.pageY - from.y) < LEAST_PX) return;
        band = h("div", { class: "band", "aria-hidden": "true" });
        document.body.append(band);
        document.body.classList.add("banding");
        frame = requestAnimationFrame(scrollAlong);
      }
      draw();
    };
    const end = () => {
      ending.abort();
      if (!band) return;
      cancelAnimationFrame(frame);
      band.remove();
      document.body.classList.remove("banding");
      // The click that ends the drag opens nothing.
      const swallow = (event) => {
        event.preventDefault();
        event.stopPropagation();
      };
      addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => removeEventListener("click", swallow, { capture: true }));
    };
    addEventListener("pointermove", move, both);
    addEventListener("pointerup", end, both);
    addEventListener("pointercancel", end, both);
  }
}

const touches = (one, other) =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
