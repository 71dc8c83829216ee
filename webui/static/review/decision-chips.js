// The decision on an image: as a chip, and as the buttons that make it.

import { withKey } from "../components/keys.js";
import { h, icon } from "../core/dom.js";
import { safe, split, t } from "../core/text.js";
import { choiceOf } from "./decisions.js";

export const CHOICE_ICONS = { keep: "check", trash: "trash", move: "move", link: "link" };

// The chip of a decision, null if there is none.
export function decisionChip(image) {
  const choice = choiceOf(image);
  if (choice === "undecided") return null;
  const { destination, stale, origin } = image.decision;
  const text = choice === "move" && destination ? t("mark.move_to", { name: safe(destination) }) : t(`mark.${choice}`);
  return h(
    "span",
    {
      class: `mark mark-${choice}${stale ? " stale" : ""}`,
      title: stale ? t("mark.stale") : origin === "rule" ? t("mark.by_rule") : "",
    },
    icon(CHOICE_ICONS[choice], 14),
    text,
  );
}

// The choices without a button on the picture; pressing the chosen one clears the decision.
export function otherChoices(image, name, { choose, linkable }) {
  const chosen = choiceOf(image);
  const isRefused = (choice) => image.protected || (choice === "link" && !linkable);
  return h(
    "div",
    { class: "mark-buttons", role: "group", "aria-label": t("mark.of", { name }) },
    ["move", "link"].map((choice) =>
      h(
        "button",
        {
          type: "button",
          class: `mark-button mark-${choice}`,
          "aria-pressed": String(chosen === choice),
          disabled: isRefused(choice),
          title: withKey(t(`mark.${choice}.help`), choice),
          data: { choice, image: image.id },
          onclick: (event) => choose(chosen === choice ? "undecided" : choice, event),
        },
        icon(CHOICE_ICONS[choice], 17),
        h("span", {}, t(`mark.${choice}.do`)),
      ),
    ),
  );
}

// Keeps one image, puts the others in the trash, and goes to the next group.
export const keepOnlyButton = (image, keepOnly) =>
  h(
    "button",
    {
      type: "button",
      class: "quick-mark keep-only",
      title: withKey(t("mark.only.help"), "keep_only"),
      "aria-label": t("mark.only.one", { name: split(image.path).name }),
      onclick: keepOnly,
    },
    icon("only", 18),
    h("span", {}, t("mark.only.do")),
  );

// The two most frequent choices, for the corner of a picture; with words if it is wide.
export function quickButtons(image, name, choose) {
  const chosen = choiceOf(image);
  return ["keep", "trash"].map((choice) =>
    h(
      "button",
      {
        type: "button",
        class: `quick-mark mark-${choice}`,
        "aria-pressed": String(chosen === choice),
        disabled: choice === "trash" && image.protected,
        title: withKey(t(`mark.${choice}.help`), choice),
        "aria-label": t(`mark.${choice}.one`, { name }),
        data: { choice, image: image.id },
        onclick: (event) => choose(chosen === choice ? "undecided" : choice, event),
      },
      icon(CHOICE_ICONS[choice], 18),
      h("span", {}, t(`mark.${choice}.do`)),
    ),
  );
}
