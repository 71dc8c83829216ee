// Keyboard shortcuts: the table, the help dialog, and the switch that turns off shortcuts of a single character.

import { h, icon } from "../core/dom.js";
import { t } from "../core/text.js";

// Each entry: an action, its keys as in KeyboardEvent.key, and the part of the help that lists it.
export const KEYS = [
  { action: "image", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"], shown: "1–9 0", part: "select" },
  {
    action: "anchor",
    keys: [
      "Shift+1",
      "Shift+2",
      "Shift+3",
      "Shift+4",
      "Shift+5",
      "Shift+6",
      "Shift+7",
      "Shift+8",
      "Shift+9",
      "Shift+0",
    ],
    shown: "Shift 1–9 0",
    part: "select",
  },
  { action: "image_before", keys: ["ArrowLeft", "ArrowUp"], shown: "← ↑", part: "select" },
  { action: "image_after", keys: ["ArrowRight", "ArrowDown"], shown: "→ ↓", part: "select" },
  { action: "keep", keys: ["k"], part: "decide" },
  { action: "trash", keys: ["d", "x"], part: "decide" },
  { action: "move", keys: ["m"], part: "decide" },
  { action: "link", keys: ["l"], part: "decide" },
  { action: "clear", keys: ["c"], part: "decide" },
  { action: "accept", keys: ["a"], part: "decide" },
  { action: "keep_only", keys: ["Shift+K"], shown: "Shift+K", part: "decide" },
  { action: "deny", keys: ["b"], part: "decide" },
  { action: "undo", keys: ["u"], part: "decide" },
  { action: "next", keys: ["n", "PageDown"], shown: "n PgDn", part: "navigate" },
  { action: "previous", keys: ["p", "PageUp"], shown: "p PgUp", part: "navigate" },
  { action: "skip", keys: ["s"], part: "navigate" },
  { action: "plan", keys: ["Enter"], part: "navigate" },
  { action: "back", keys: ["Escape"], shown: "Esc", part: "navigate" },
  { action: "survey", keys: ["g"], part: "compare" },
  { action: "page_before", keys: [","], part: "compare" },
  { action: "page_after", keys: ["."], part: "compare" },
  { action: "mode", keys: ["v"], part: "compare" },
  { action: "flick", keys: ["f"], part: "compare" },
  { action: "tones", keys: ["t"], part: "compare" },
  { action: "zoom", keys: ["z"], part: "compare" },
  { action: "zoom_in", keys: ["+", "="], shown: "+", part: "compare" },
  { action: "zoom_out", keys: ["-"], shown: "−", part: "compare" },
  {
    action: "pan",
    keys: ["Shift+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowDown"],
    shown: "Shift ← → ↑ ↓",
    part: "compare",
  },
  { action: "help", keys: ["?"], part: "navigate" },
];
const PARTS = ["decide", "select", "navigate", "compare"];
const SWITCH = "comparimg-single-keys";

export const singleKeys = () => localStorage.getItem(SWITCH) !== "off";
export const setSingleKeys = (on) => localStorage.setItem(SWITCH, on ? "on" : "off");

const BY_KEY = new Map(KEYS.flatMap((entry) => entry.keys.map((key) => [key, entry])));
const ACTS_ON_ENTER = "a, button, summary, select, [role=slider]";

// The entry for a keydown event and the key as the table writes it; null while a field has the focus or a dialog is
// open.
function pressed(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing || document.querySelector("dialog[open]"))
    return null;
  const focused = document.activeElement;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(focused?.tagName) && !/^(checkbox|radio|button)$/.test(focused.type))
    return null;
  if (event.key === "Enter" && focused?.matches(ACTS_ON_ENTER)) return null;
  const digit = /^Digit([0-9])$/.exec(event.code)?.[1];
  // Digits by their physical key: on French keyboards they need Shift.
  const plain = digit ?? (event.key.length === 1 ? event.key.toLowerCase() : event.key);
  const shifted = event.shiftKey && (digit || /^Arrow/.test(plain));
  const key = shifted ? `Shift+${plain}` : event.shiftKey && plain === "k" ? "Shift+K" : plain;
  const entry = BY_KEY.get(key);
  if (!entry || (plain.length === 1 && !singleKeys())) return null;
  return { entry, key };
}

// Calls handlers[action](key, event) until the signal aborts; an action without a handler is left to the browser.
export function bindKeys(handlers, signal) {
  addEventListener(
    "keydown",
    (event) => {
      const match = pressed(event);
      const handler = match && handlers[match.entry.action];
      if (
        !handler ||
        (event.repeat && !/image|anchor|zoom_in|zoom_out|pan|next|previous|page/.test(match.entry.action))
      )
        return;
      event.preventDefault();
      handler(match.key, event);
    },
    { signal },
  );
}

export function openHelp() {
  const line = (entry) =>
    h(
      "div",
      {},
      h(
        "dt",
        {},
        (entry.shown ?? entry.keys.join(" ")).split(" ").map((key) => h("kbd", {}, key)),
      ),
      h("dd", {}, t(`key.${entry.action}`)),
    );
  const dialog = h(
    "dialog",
    { class: "sheet help-sheet", "aria-label": t("keys.title") },
    h(
      "form",
      { method: "dialog" },
      h(
        "header",
        {},
        h("h2", {}, t("keys.title")),
        h(
          "button",
          { class: "plain", value: "close", "aria-label": t("action.close"), autofocus: true },
          icon("close"),
        ),
      ),
      h(
        "div",
        { class: "key-parts" },
        PARTS.map((part) =>
          h(
            "section",
            {},
            h("h3", {}, t(`keys.part.${part}`)),
            h("dl", {}, KEYS.filter((entry) => entry.part === part).map(line)),
          ),
        ),
      ),
      h(
        "label",
        { class: "check" },
        h("input", {
          type: "checkbox",
          checked: singleKeys(),
          onchange: (event) => setSingleKeys(event.target.checked),
        }),
        h("span", {}, t("keys.single"), h("small", {}, t("keys.single.help"))),
      ),
    ),
  );
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "?") {
      event.stopPropagation();
      dialog.close();
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}
