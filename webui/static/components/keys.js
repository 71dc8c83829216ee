// Keyboard shortcuts: the table, the keys that the user changed, and the switch for shortcuts of one character.
// Changes are stored in the browser: keyboards differ, and several people may use one index.

import { has, t } from "../core/text.js";

// Each entry: an action, its keys as in KeyboardEvent.key, and the part of the help that lists it. If `shown`
// represents a row of keys, these cannot be changed.
const DEFAULTS = [
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
  { action: "image_before", keys: ["ArrowLeft", "ArrowUp"], part: "select" },
  { action: "image_after", keys: ["ArrowRight", "ArrowDown"], part: "select" },
  { action: "keep", keys: ["k"], part: "decide" },
  { action: "trash", keys: ["d", "x"], part: "decide" },
  { action: "move", keys: ["m"], part: "decide" },
  { action: "link", keys: ["l"], part: "decide" },
  { action: "clear", keys: ["c"], part: "decide" },
  { action: "accept", keys: ["a"], part: "decide" },
  { action: "keep_only", keys: ["Shift+K"], part: "decide" },
  { action: "deny", keys: ["b"], part: "decide" },
  { action: "undo", keys: ["u"], part: "decide" },
  { action: "next", keys: ["n", "PageDown"], part: "navigate" },
  { action: "previous", keys: ["p", "PageUp"], part: "navigate" },
  { action: "skip", keys: ["s"], part: "navigate" },
  { action: "plan", keys: ["Enter"], part: "navigate" },
  { action: "back", keys: ["Escape"], part: "navigate" },
  { action: "survey", keys: ["g"], part: "compare" },
  { action: "page_before", keys: [","], part: "compare" },
  { action: "page_after", keys: ["."], part: "compare" },
  { action: "mode", keys: ["v"], part: "compare" },
  { action: "flick", keys: ["f"], part: "compare" },
  { action: "tones", keys: ["t"], part: "compare" },
  { action: "zoom", keys: ["z"], part: "compare" },
  { action: "zoom_in", keys: ["+", "="], part: "compare" },
  { action: "zoom_out", keys: ["-"], part: "compare" },
  {
    action: "pan",
    keys: ["Shift+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowDown"],
    shown: "Shift ← → ↑ ↓",
    part: "compare",
  },
  { action: "help", keys: ["?"], part: "navigate" },
];
const SWITCH = "comparimg-single-keys";
const CHANGED = "comparimg-keys";

export const PARTS = ["decide", "select", "navigate", "compare"];

export const singleKeys = () => localStorage.getItem(SWITCH) !== "off";
export const setSingleKeys = (on) => localStorage.setItem(SWITCH, on ? "on" : "off");

// The changes, as {action: [key]}; unreadable ones, or those of another version, are ignored.
function changedKeys() {
  try {
    const stored = JSON.parse(localStorage.getItem(CHANGED) ?? "{}");
    const known = DEFAULTS.filter(({ action, shown }) => !shown && Array.isArray(stored[action]));
    return Object.fromEntries(known.map(({ action }) => [action, stored[action].map(String)]));
  } catch {
    return {};
  }
}

// The table in use: like DEFAULTS, with whether an entry was `changed`.
export function keyTable() {
  const changed = changedKeys();
  return DEFAULTS.map((entry) => ({
    ...entry,
    keys: changed[entry.action] ?? entry.keys,
    changed: entry.action in changed,
  }));
}

// Gives an action one key instead of its present ones. If another action has this key, returns that action and changes
// nothing; null if the key was free.
export function changeKey(action, key) {
  const taken = keyTable().find((entry) => entry.action !== action && entry.keys.includes(key));
  if (taken) return taken.action;
  localStorage.setItem(CHANGED, JSON.stringify({ ...changedKeys(), [action]: [key] }));
  return null;
}

// Restores the default keys of an action, or of all. If another action has one of these now, returns that action and
// changes nothing.
export function resetKeys(action = null) {
  if (!action) {
    localStorage.removeItem(CHANGED);
    return null;
  }
  const { keys } = DEFAULTS.find((entry) => entry.action === action);
  const taken = keyTable().find((entry) => entry.action !== action && entry.keys.some((key) => keys.includes(key)));
  if (taken) return taken.action;
  const { [action]: dropped, ...others } = changedKeys();
  localStorage.setItem(CHANGED, JSON.stringify(others));
  return null;
}

const NAMES = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  "-": "−",
};

// A key as people write it, in the reader's language.
export function keyName(key) {
  if (key.startsWith("Shift+")) return t("keyname.with_shift", { key: keyName(key.slice("Shift+".length)) });
  const name = key === " " ? "Space" : key;
  return NAMES[key] ?? (has(`keyname.${name}`) ? t(`keyname.${name}`) : key);
}

// The names of the keys of an entry.
export const keyNames = (entry) => (entry.shown?.split(" ") ?? entry.keys).map(keyName);

// The first key of an action.
export const keyOf = (action) => keyNames(keyTable().find((entry) => entry.action === action))[0] ?? "";

// A text followed by the key of an action.
export const withKey = (text, action) => `${text} (${keyOf(action)})`;

const ACTS_ON_ENTER = "a, button, summary, select, [role=slider]";

// The key of a keydown event as the table writes it, and without Shift.
export function keyFrom(event) {
  const digit = /^Digit([0-9])$/.exec(event.code)?.[1];
  // Digits by their physical key: on French keyboards they need Shift.
  const plain = digit ?? (event.key.length === 1 ? event.key.toLowerCase() : event.key);
  if (!event.shiftKey || !(digit || /^(Arrow.*|[a-z])$/.test(plain))) return { key: plain, plain };
  return { key: `Shift+${digit ? plain : plain.length === 1 ? plain.toUpperCase() : plain}`, plain };
}

// The entry for a keydown event and the key as the table writes it; null while a field has the focus or a dialog is
// open.
function pressed(event, byKey) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing || document.querySelector("dialog[open]"))
    return null;
  const focused = document.activeElement;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(focused?.tagName) && !/^(checkbox|radio|button)$/.test(focused.type))
    return null;
  if (event.key === "Enter" && focused?.matches(ACTS_ON_ENTER)) return null;
  const { key, plain } = keyFrom(event);
  // A letter that means nothing with Shift means the same as without: Caps Lock may be on.
  const used = byKey.has(key) || !/^[a-z]$/.test(plain) ? key : plain;
  const entry = byKey.get(used);
  if (!entry || (plain.length === 1 && !singleKeys())) return null;
  return { entry, key: used };
}

// Calls handlers[action](key, event) until the signal aborts; an action without a handler is left to the browser.
export function bindKeys(handlers, signal) {
  const byKey = new Map(keyTable().flatMap((entry) => entry.keys.map((key) => [key, entry])));
  addEventListener(
    "keydown",
    (event) => {
      const match = pressed(event, byKey);
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
