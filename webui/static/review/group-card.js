// A group as a card of the list: two of its pictures, how they match, and what it could free.

import { evidenceText, factsText, folderText, kindChip, thumbnail, trashedText } from "../components/pictures.js";
import { h, icon } from "../core/dom.js";
import { bytes, number, split, t } from "../core/text.js";
import { groupAddress } from "./addresses.js";
import { decisionChip } from "./decision-chips.js";

const FREEING = ["trash", "link"];

// `pick` is the box that selects the group, null if there is none; `accept` accepts its proposal.
export function groupCard(group, chosen, { pick, accept }) {
  const { items } = group.images;
  if (!items.length) return h("article", { hidden: true });
  // The kept or proposed image, next to the one with the weakest match: the card must be true for the whole group.
  const proposed = items.find(({ id }) => id === group.proposal?.image);
  const first = items.find(({ decision }) => decision?.choice === "keep") ?? proposed ?? items[0];
  const other =
    items.find(({ id }) => id === group.weakest?.image && id !== first.id) ?? items.find(({ id }) => id !== first.id);
  const described = other?.reference && !other.sentence ? first : other;
  // The weakest match of a large group may not be loaded: then only the kind is true for the whole group.
  const isWeakest = !group.weakest || items.some(({ id }) => id === group.weakest.image);
  const more = group.images.total - 2;
  const target = groupAddress(group, chosen);
  const { name } = split(first.path);
  const back = items.find((image) => image.trashed_before);
  const open = group.images.items.some((image) => !image.decision);
  const picture = (image, badge) =>
    h(
      "figure",
      { class: image.decision ? `is-${image.decision.choice}` : "" },
      thumbnail(image),
      badge,
      decisionChip(image),
    );
  return h(
    "article",
    { class: open ? "card" : "card decided", data: { group: group.id } },
    pick,
    h(
      "a",
      { class: "pair", href: target, title: t("group.open", { name }) },
      picture(first, first.decision ? null : badgeOf(group, proposed)),
      other ? picture(other, more > 0 ? h("span", { class: "more" }, `+${number(more)}`) : null) : h("figure", {}),
    ),
    h(
      "div",
      { class: "card-text" },
      h("header", {}, kindChip(group.kind), group.scene ? null : h("span", { class: "gain" }, gainText(group))),
      h("h3", {}, h("a", { href: target, tabindex: "-1" }, name)),
      h("p", { class: "where" }, folderText(first)),
      described && !(group.scene && described.reference)
        ? h("p", { class: "evidence" }, isWeakest ? evidenceText(described) : t(`kind.${group.kind}.help`))
        : null,
      back ? h("p", { class: "trashed-before" }, icon("trash", 14), trashedText(back)) : null,
      h(
        "p",
        { class: "facts" },
        [...new Set([first, other].filter(Boolean).map(factsText))].map((facts) => h("span", {}, facts)),
      ),
    ),
    open && !group.scene
      ? h(
          "button",
          { type: "button", class: "quick", title: t("review.accept.help"), onclick: () => accept(group) },
          icon("check", 16),
          t("review.accept"),
        )
      : null,
  );
}

// The star marks the image that is kept when accepting; in amber where that is not certain.
function badgeOf({ proposal }, proposed) {
  if (!proposed) return h("figcaption", { class: "badge" }, t("group.reference"));
  if (!proposal.tie) return h("figcaption", { class: "badge" }, icon("star", 13), t("proposal.keep"));
  return h(
    "figcaption",
    { class: "badge tie", title: t("proposal.uncertain") },
    icon("star", 13),
    t("proposal.keep.tie"),
  );
}

// What a group could free, or once all of its images are decided, what it will.
export function gainText(group) {
  const { items, next } = group.images;
  const choices = items.map(({ decision }) => (decision && !decision.stale ? decision.choice : ""));
  const isDecided = !next && items.length > 0 && choices.every(Boolean);
  if (isDecided && choices.every((choice) => choice === "keep")) return t("group.all_kept");
  const freed = items.filter((_, place) => FREEING.includes(choices[place]));
  const size = isDecided ? freed.reduce((sum, image) => sum + image.size_bytes, 0) : group.reclaimable_bytes;
  // In a scene no image is a copy, and links take no space: nothing can be reclaimed, so no figure is shown.
  return size ? t("group.reclaimable", { size: bytes(size) }) : "";
}
