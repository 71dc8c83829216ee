// A selection in the list of groups: boxes, Shift and dragging with the mouse, keys; and the bar with what can be done.

import { h, icon } from "../core/dom.js";
import { split, t } from "../core/text.js";
import { columnsOf, placeBy } from "./list-grid.js";
import { createBand } from "./selection-band.js";

const FIELDS = "input:not([type=checkbox]), textarea, select";

// `list` holds the cards, `act(action, ids)` decides about the groups with these ids, or about all of the list for
// null. `total()` is the number of groups in the whole list.
export function listSelection({ list, act, actions, total, signal }) {
  const selected = new Set();
  let all = false;
  // The card from which Shift extends the selection.
  let origin = null;

  const count = h("strong", { role: "status" });
  const every = h("button", { type: "button", class: "link", onclick: () => setAll(true) });
  const button = (action, place) =>
    h(
      "button",
      { type: "button", class: place ? "" : "primary", onclick: () => act(action, all ? null : [...selected]) },
      icon({ accept: "check", keep: "picture", not_duplicates: "difference", more: "down" }[action], 16),
      t(`bulk.${action}.do`),
    );
  const bar = h(
    "section",
    { class: "select-bar", hidden: true, "aria-label": t("select.title") },
    h("p", {}, count, every),
    h(
      "div",
      { class: "buttons" },
      actions.map(button),
      h(
        "button",
        { type: "button", class: "plain", title: t("select.none"), "aria-label": t("select.none"), onclick: clear },
        icon("close", 18),
      ),
    ),
  );

  const cards = () => [...list.querySelectorAll(":scope > [data-group]:not([hidden])")];
  const isOn = (card) => all || selected.has(card.dataset.group);

  function decorate(card) {
    card.classList.toggle("selected", isOn(card));
    const box = card.querySelector(".pick input");
    if (box) box.checked = isOn(card);
    return card;
  }

  function draw() {
    const n = all ? total() : selected.size;
    bar.hidden = !n;
    count.textContent = t(all ? "select.all_of" : "select.count", { n });
    every.hidden = all || selected.size >= total();
    every.textContent = t("select.all", { n: total() });
    document.body.classList.toggle("selecting", n > 0);
    cards().forEach(decorate);
  }

  function set(ids) {
    all = false;
    selected.clear();
    for (const id of ids) selected.add(id);
    draw();
  }

  function setAll(on) {
    all = on;
    selected.clear();
    draw();
  }

  function clear() {
    origin = null;
    setAll(false);
  }

  // Of the whole list, one that is taken away leaves those that are loaded.
  function toggle(card) {
    const { group } = card.dataset;
    const ids = new Set(all ? cards().map(({ dataset }) => dataset.group) : selected);
    if (!ids.delete(group)) ids.add(group);
    origin = group;
    set(ids);
  }

  function extend(card) {
    const ids = cards().map(({ dataset }) => dataset.group);
    const [from, to] = [ids.indexOf(origin ?? card.dataset.group), ids.indexOf(card.dataset.group)];
    const between = ids.slice(Math.max(0, Math.min(from, to)), Math.max(from, to) + 1);
    origin ??= card.dataset.group;
    set(new Set([...selected, ...between]));
  }

  const box = (group) =>
    h(
      "label",
      { class: "pick", title: t("select.one.help") },
      h("input", {
        type: "checkbox",
        "aria-label": t("select.one", { name: split(group.images.items[0]?.path ?? "").name }),
      }),
    );

  list.addEventListener(
    "click",
    (event) => {
      const card = event.target.closest("[data-group]");
      if (!card) return;
      // Shift-click opens no second window: it selects, wherever on the card.
      if (event.shiftKey && !event.target.closest("button")) {
        // Prevented, a box would go back to what it was.
        if (event.target.tagName !== "INPUT") event.preventDefault();
        event.stopImmediatePropagation();
        extend(card);
      } else if (event.target.matches(".pick input")) toggle(card);
    },
    { signal, capture: true },
  );

  createBand({
    area: list,
    signal,
    begin: () => new Set(selected),
    change: (base, hit) => set(new Set([...base, ...hit.map(({ dataset }) => dataset.group)])),
    cards,
  });

  addEventListener(
    "keydown",
    (event) => {
      if (document.querySelector("dialog[open]") || document.activeElement?.matches(FIELDS)) return;
      const focused = document.activeElement?.closest?.("[data-group]");
      if (event.key === "Escape" && !bar.hidden) clear();
      else if (event.key === " " && focused && !document.activeElement.matches("button, input")) toggle(focused);
      else if (event.shiftKey && /^Arrow/.test(event.key) && focused) {
        origin ??= focused.dataset.group;
        const by = /Right|Down/.test(event.key) ? 1 : -1;
        const next = cards()[placeBy(event.key, by, cards().indexOf(focused), cards().length, columnsOf(list))];
        next.querySelector("a.pair").focus();
        const ids = cards().map(({ dataset }) => dataset.group);
        const [from, to] = [ids.indexOf(origin), cards().indexOf(next)].sort((a, b) => a - b);
        set(ids.slice(from, to + 1));
      } else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) setAll(true);
      else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    { signal, capture: true },
  );
  signal.addEventListener("abort", () => document.body.classList.remove("selecting"));

  return { bar, box, decorate, draw, setAll, chosen: () => (all ? null : [...selected]), isEmpty: () => bar.hidden };
}
