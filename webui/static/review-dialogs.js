// The small questions of a review: where to move an image, and in what way images are no duplicates.

import { get } from "./api.js";
import { h, icon } from "./dom.js";
import { safe, t } from "./text.js";

// Asks for one of some choices: [{value, label, help}]. Digits choose as well. Gives the value, null where it was left.
export function ask(title, choices, note = null) {
  return new Promise((resolve) => {
    const button = (choice, place) => h("button", { class: "choice", value: String(place), autofocus: place === 0 },
      h("kbd", {}, String(place + 1)), h("span", {}, choice.label, choice.help ? h("small", {}, choice.help) : null));
    const dialog = h("dialog", { class: "sheet small-sheet", "aria-label": title }, h("form", { method: "dialog" },
      h("header", {}, h("h2", {}, title), h("button", { class: "plain", value: "", "aria-label": t("action.close") }, icon("close"))),
      note, choices.map(button)));
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(""); });
    dialog.addEventListener("keydown", (event) => {
      const digit = Number(/^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1]);
      if (!choices[digit - 1]) return;
      // The press is used up: behind the dialog it would mean an image.
      event.stopPropagation();
      dialog.close(String(digit - 1));
    });
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "" ? null : choices[Number(dialog.returnValue)].value); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

let destinations = null;

export async function loadDestinations() {
  destinations ??= (await get("/destinations")).items;
  return destinations;
}

// One of the named destinations; where there is one only, it is not asked for.
export async function askDestination() {
  const known = await loadDestinations();
  if (known.length === 1) return known[0].name;
  return ask(t("move.title"), known.map(({ name, path }) => ({ value: name, label: safe(name), help: safe(path) })),
    known.length ? null : h("p", { class: "notice" }, t("move.none")));
}

export const askDenial = (pair, whole) => ask(t("deny.title"), [
  ...(whole > 2 ? [{ value: { label: "not_duplicates", images: pair }, label: t("deny.pair"), help: t("deny.pair.help") }] : []),
  { value: { label: "not_duplicates", images: [] }, label: t(whole > 2 ? "deny.group" : "group.not_duplicates"), help: t("deny.help") },
  { value: { label: "alternates", images: [] }, label: t("deny.alternates"), help: t("deny.alternates.help") },
]);

export function confirmed(title, text, action, tone = "primary") {
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "sheet small-sheet", "aria-label": title }, h("form", { method: "dialog" },
      h("header", {}, h("h2", {}, title)), h("p", {}, text),
      h("footer", {}, h("button", { class: "plain-text", value: "" }, t("action.cancel")), h("button", { class: tone, value: "yes", autofocus: true }, action))));
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(""); });
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
