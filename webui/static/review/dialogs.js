// Dialogs of the review: the destination of an image, the reason why images are not duplicates, confirmations.

import { get } from "../core/api.js";
import { h, icon } from "../core/dom.js";
import { publish, read } from "../core/store.js";
import { safe, t } from "../core/text.js";
import { newDestination } from "../folders/destination-dialog.js";

// Asks for one of several choices: [{value, label, help}], also by digit. Resolves to the value, null if cancelled.
export function ask(title, choices, note = null) {
  return new Promise((resolve) => {
    const button = (choice, place) =>
      h(
        "button",
        { class: "choice", value: String(place), autofocus: place === 0 },
        h("kbd", {}, String(place + 1)),
        h("span", {}, choice.label, choice.help ? h("small", {}, choice.help) : null),
      );
    const dialog = h(
      "dialog",
      { class: "sheet small-sheet", "aria-label": title },
      h(
        "form",
        { method: "dialog" },
        h(
          "header",
          {},
          h("h2", {}, title),
          h("button", { class: "plain", value: "", "aria-label": t("action.close") }, icon("close")),
        ),
        note,
        choices.map(button),
      ),
    );
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close("");
    });
    dialog.addEventListener("keydown", (event) => {
      const digit = Number(/^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1]);
      if (!choices[digit - 1]) return;
      // Otherwise the digit would also select an image behind the dialog.
      event.stopPropagation();
      dialog.close(String(digit - 1));
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "" ? null : choices[Number(dialog.returnValue)].value);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export async function loadDestinations() {
  if (!read("destinations")) publish("destinations", (await get("/destinations")).items);
  return read("destinations");
}

// Asks for one of the destinations, or a new one; without any, for a new one at once.
export async function askDestination() {
  const destinations = await loadDestinations();
  if (!destinations.length) return newDestination();
  const chosen = await ask(t("move.title"), [
    ...destinations.map(({ name, path }) => ({ value: { name }, label: safe(name), help: safe(path) })),
    { value: { name: null }, label: t("destination.new_folder"), help: t("destination.new_folder.help") },
  ]);
  return chosen && (chosen.name ?? newDestination());
}

export const askDenial = (pair, whole) =>
  ask(t("deny.title"), [
    ...(whole > 2
      ? [{ value: { label: "not_duplicates", images: pair }, label: t("deny.pair"), help: t("deny.pair.help") }]
      : []),
    {
      value: { label: "not_duplicates", images: [] },
      label: t(whole > 2 ? "deny.group" : "group.not_duplicates"),
      help: t("deny.help"),
    },
    { value: { label: "alternates", images: [] }, label: t("deny.alternates"), help: t("deny.alternates.help") },
  ]);

// `text` is a sentence, or elements; `others` are further answers: [{value, label}]. Resolves to "yes" or the value of
// such an answer, "" if it was cancelled.
export function confirmed(title, text, action, tone = "primary", others = []) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "sheet small-sheet", "aria-label": title },
      h(
        "form",
        { method: "dialog" },
        h("header", {}, h("h2", {}, title)),
        typeof text === "string" ? h("p", {}, text) : text,
        h(
          "footer",
          {},
          h("button", { class: "plain-text", value: "" }, t("action.cancel")),
          others.map(({ value, label }) => h("button", { value }, label)),
          h("button", { class: tone, value: "yes", autofocus: true }, action),
        ),
      ),
    );
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close("");
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
