// Thumbnails, and the texts for an image: its folder, its facts, and how it matches the reference.

import { h, icon } from "../core/dom.js";
import { read } from "../core/store.js";
import { bytes, day, has, language, number, safe, split, t } from "../core/text.js";

// A preview that is not made yet is answered with 503: the thumbnail is requested a few times.
const TRIES = 4;

export function thumbnail(image, { eager = false, alt = "" } = {}) {
  return image.thumbnail ? view(image.thumbnail, { eager, alt: alt || split(image.path).name }) : placeholder();
}

// The picture at the address of a view.
export function view(address, { eager = false, alt = "" } = {}) {
  let tries = 0;
  const picture = h("img", {
    src: address,
    alt,
    loading: eager ? "eager" : "lazy",
    decoding: "async",
    draggable: false,
  });
  picture.addEventListener("load", () => picture.classList.add("there"));
  picture.addEventListener("error", () => {
    tries += 1;
    if (tries >= TRIES) picture.replaceWith(placeholder());
    else
      setTimeout(() => {
        picture.src = address;
      }, 1500 * tries);
  });
  return picture;
}

const placeholder = () =>
  h("span", { class: "no-picture", role: "img", "aria-label": t("image.no_preview") }, icon("picture", 32));

export function folderText(image) {
  const root = read("roots").items.find((candidate) => candidate.id === image.root);
  const { folder } = split(image.path);
  if (!root || !`${image.path}`.startsWith(root.path)) return folder;
  const inside = folder.slice(safe(root.path).length).replace(/^\//, "");
  const name = split(root.path).name || "/";
  return inside ? `${name} / ${inside.split("/").join(" / ")}` : name;
}

export const size = (image) => (image.width ? `${number(image.width)} × ${number(image.height)}` : "–");

export function formatText(image) {
  if (!image.format) return "–";
  const coded = image.jpeg_quality ? `${image.format} ${image.jpeg_quality}` : image.format;
  const format = image.bit_depth > 8 ? t("fact.format.deep", { format: coded, n: image.bit_depth }) : coded;
  return image.earlier_quality ? t("fact.format.earlier", { now: format, quality: image.earlier_quality }) : format;
}

// The data after the picture in its file.
export const attachmentsText = (image) =>
  image.attachments.map(({ kind, size_bytes }) => `${t(`attachment.${kind}`)} ${bytes(size_bytes)}`).join(", ");

// For a file whose bytes were put in the trash before it appeared.
export const trashedText = (image) =>
  image.trashed_before ? t("image.trashed_before", { day: day(image.trashed_before) }) : "–";

export const factsText = (image) =>
  [size(image), formatText(image), bytes(image.size_bytes)].filter((part) => part !== "–").join(" · ");

export const kindChip = (kind) =>
  h("span", { class: `chip kind-${kind}`, title: t(`kind.${kind}.help`) }, t(`kind.${kind}`));

const upper = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);

const OF_SCENES = new Set(["exposure", "text", "colour"]);

// One sentence: what was done to the proposed image to get this one.
export function evidenceText(image) {
  if (image.reference && !image.sentence) return t("evidence.reference");
  if (!image.sentence) return t("evidence.exact");
  const what = image.sentence[language];
  // The pictures of a scene are known to be different.
  const unsure = image.kind === "possible" && !OF_SCENES.has(image.evidence?.reason);
  return upper(unsure ? t("evidence.possible", { what }) : what);
}

export const reasonText = (reason) => (has(`reason.${reason}`) ? t(`reason.${reason}`) : reason.replaceAll("_", " "));
