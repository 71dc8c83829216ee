// Marks: what is decided of an image, as a chip, and as the buttons that decide it.

import { choiceOf, CHOICES } from "./decisions.js";
import { h, icon } from "./dom.js";
import { safe, t } from "./text.js";

export const MARK_ICONS = { keep: "check", trash: "trash", move: "move", link: "link" };

// A chip for what is decided; nothing where nothing is.
export function markChip(image) {
  const choice = choiceOf(image);
  if (choice === "undecided") return null;
  const { destination, stale, origin } = image.decision;
  const text = choice === "move" && destination ? t("mark.move_to", { name: safe(destination) }) : t(`mark.${choice}`);
  return h("span", { class: `mark mark-${choice}${stale ? " stale" : ""}`, title: stale ? t("mark.stale") : origin === "rule" ? t("mark.by_rule") : "" },
    icon(MARK_ICONS[choice], 14), text);
}

// One button for each choice; pressing what is chosen takes it back.
export function markButtons(image, name, { choose, linkable }) {
  const now = choiceOf(image);
  const refused = (choice) => (choice !== "keep" && image.protected) || (choice === "link" && !linkable);
  return h("div", { class: "mark-buttons", role: "group", "aria-label": t("mark.of", { name }) }, CHOICES.map((choice) =>
    h("button", { type: "button", class: `mark-button mark-${choice}`, "aria-pressed": String(now === choice), disabled: refused(choice),
      title: t(`mark.${choice}.help`), data: { choice },
      onclick: (event) => choose(now === choice ? "undecided" : choice, event) }, icon(MARK_ICONS[choice], 17), h("span", {}, t(`mark.${choice}.do`)))));
}

// The two choices that are made most, for a corner of a picture.
export function quickMarks(image, name, choose) {
  const now = choiceOf(image);
  return ["keep", "trash"].map((choice) => h("button", { type: "button", class: `quick-mark mark-${choice}`, "aria-pressed": String(now === choice), disabled: choice === "trash" && image.protected,
    title: t(`mark.${choice}.help`), "aria-label": t(`mark.${choice}.one`, { name }), onclick: (event) => choose(now === choice ? "undecided" : choice, event) }, icon(MARK_ICONS[choice], 18)));
}
