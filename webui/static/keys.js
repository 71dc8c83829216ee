// The keyboard: every shortcut in one table, the dialog that tells them, and the switch for those of a single character.

import { h, icon } from "./dom.js";
import { t } from "./text.js";

// Each line is an action, the keys that call it as KeyboardEvent.key tells them, and where it is told in the help.
export const KEYS = [
  { action: "image", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], shown: "1–9", part: "choose" },
  { action: "anchor", keys: ["Shift+1", "Shift+2", "Shift+3", "Shift+4", "Shift+5", "Shift+6", "Shift+7", "Shift+8", "Shift+9"], shown: "Shift 1–9", part: "choose" },
  { action: "image_before", keys: ["ArrowLeft", "ArrowUp"], shown: "← ↑", part: "choose" },
  { action: "image_after", keys: ["ArrowRight", "ArrowDown"], shown: "→ ↓", part: "choose" },
  { action: "keep", keys: ["k"], part: "decide" },
  { action: "trash", keys: ["d", "x"], part: "decide" },
  { action: "move", keys: ["m"], part: "decide" },
  { action: "link", keys: ["l"], part: "decide" },
  { action: "clear", keys: ["c"], part: "decide" },
  { action: "accept", keys: ["a"], part: "decide" },
  { action: "deny", keys: ["b"], part: "decide" },
  { action: "undo", keys: ["u"], part: "decide" },
  { action: "next", keys: ["n", "PageDown"], shown: "n PgDn", part: "walk" },
  { action: "previous", keys: ["p", "PageUp"], shown: "p PgUp", part: "walk" },
  { action: "skip", keys: ["s"], part: "walk" },
  { action: "plan", keys: ["Enter"], part: "walk" },
  { action: "back", keys: ["Escape"], shown: "Esc", part: "walk" },
  { action: "mode", keys: ["v"], part: "look" },
  { action: "flick", keys: ["f"], part: "look" },
  { action: "tones", keys: ["t"], part: "look" },
  { action: "zoom", keys: ["z"], part: "look" },
  { action: "closer", keys: ["+", "="], shown: "+", part: "look" },
  { action: "further", keys: ["-"], shown: "−", part: "look" },
  { action: "pan", keys: ["Shift+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowDown"], shown: "Shift ← → ↑ ↓", part: "look" },
  { action: "help", keys: ["?"], part: "walk" },
];
const PARTS = ["decide", "choose", "walk", "look"];
const SWITCH = "comparimg-single-keys";

export const singleKeys = () => localStorage.getItem(SWITCH) !== "off";
export const setSingleKeys = (on) => localStorage.setItem(SWITCH, on ? "on" : "off");

const BY_KEY = new Map(KEYS.flatMap((entry) => entry.keys.map((key) => [key, entry])));
const ACTS_ON_ENTER = "a, button, summary, select, [role=slider]";

// The entry for a press of a key, and the key as the table spells it; nothing while someone is typing or a dialog is open.
function pressed(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing || document.querySelector("dialog[open]")) return null;
  const here = document.activeElement;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(here?.tagName) && !/^(checkbox|radio|button)$/.test(here.type)) return null;
  if (event.key === "Enter" && here?.matches(ACTS_ON_ENTER)) return null;
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
  // Digits by their place, whatever is typed there: on French keyboards they want Shift.
  const plain = digit ?? (event.key.length === 1 ? event.key.toLowerCase() : event.key);
  const key = event.shiftKey && (digit || /^Arrow/.test(plain)) ? `Shift+${plain}` : plain;
  const entry = BY_KEY.get(key);
  if (!entry || (plain.length === 1 && !singleKeys())) return null;
  return { entry, key };
}

// Calls handlers[action](key, event) while the signal lives; an action without a handler is left to the browser.
export function bindKeys(handlers, signal) {
  addEventListener("keydown", (event) => {
    const found = pressed(event);
    const handler = found && handlers[found.entry.action];
    if (!handler || (event.repeat && !/image|anchor|closer|further|pan|next|previous/.test(found.entry.action))) return;
    event.preventDefault();
    handler(found.key, event);
  }, { signal });
}

export function openHelp() {
  const line = (entry) => h("div", {}, h("dt", {}, (entry.shown ?? entry.keys.join(" ")).split(" ").map((key) => h("kbd", {}, key))),
    h("dd", {}, t(`key.${entry.action}`)));
  const dialog = h("dialog", { class: "sheet help-sheet", "aria-label": t("keys.title") },
    h("form", { method: "dialog" },
      h("header", {}, h("h2", {}, t("keys.title")), h("button", { class: "plain", value: "close", "aria-label": t("action.close"), autofocus: true }, icon("close"))),
      h("div", { class: "key-parts" }, PARTS.map((part) => h("section", {}, h("h3", {}, t(`keys.part.${part}`)),
        h("dl", {}, KEYS.filter((entry) => entry.part === part).map(line))))),
      h("label", { class: "check" }, h("input", { type: "checkbox", checked: singleKeys(), onchange: (event) => setSingleKeys(event.target.checked) }),
        h("span", {}, t("keys.single"), h("small", {}, t("keys.single.help"))))));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", (event) => { if (event.key === "?") { event.stopPropagation(); dialog.close(); } });
  document.body.append(dialog);
  dialog.showModal();
}
