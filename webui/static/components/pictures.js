// Thumbnails and what is said of an image: its name, where it is, its facts, and how it matches the reference.

import { h, icon } from "./dom.js";
import { state } from "./live.js";
import { bytes, day, has, language, number, safe, split, t } from "./text.js";

// A view that is being made answers 503; a picture tries a few times before it gives up.
const TRIES = 4;

export function thumbnail(image, { eager = false, alt = "" } = {}) {
  const { name } = split(image.path);
  if (!image.thumbnail) return placeholder(image);
  let tries = 0;
  const picture = h("img", { src: image.thumbnail, alt: alt || name, loading: eager ? "eager" : "lazy",
    decoding: "async", draggable: false });
  picture.addEventListener("load", () => picture.classList.add("there"));
  picture.addEventListener("error", () => {
    tries += 1;
    if (tries >= TRIES) picture.replaceWith(placeholder(image));
    else setTimeout(() => { picture.src = `${image.thumbnail}&again=${tries}`.replace(/&again=\d+$/, ""); }, 1500 * tries);
  });
  return picture;
}

const placeholder = () => h("span", { class: "no-picture", role: "img", "aria-label": t("image.no_view") }, icon("picture", 32));

export function folderText(image) {
  const root = state.roots.items.find((candidate) => candidate.id === image.root);
  const { folder } = split(image.path);
  if (!root || !`${image.path}`.startsWith(root.path)) return folder;
  const inside = folder.slice(safe(root.path).length).replace(/^\//, "");
  const name = split(root.path).name || "/";
  return inside ? `${name} / ${inside.split("/").join(" / ")}` : name;
}

export const size = (image) => (image.width ? `${number(image.width)} × ${number(image.height)}` : "–");

export function formatText(image) {
  if (!image.format) return "–";
  const now = image.jpeg_quality ? `${image.format} ${image.jpeg_quality}` : image.format;
  return image.earlier_quality ? t("fact.format.earlier", { now, quality: image.earlier_quality }) : now;
}

export const dateText = (image) => day(image.taken ?? image.modified);

export const factsText = (image) =>
  [size(image), formatText(image), bytes(image.size_bytes)].filter((part) => part !== "–").join(" · ");

export const kindChip = (kind) => h("span", { class: `chip kind-${kind}`, title: t(`kind.${kind}.help`) }, t(`kind.${kind}`));

const upper = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);

// One sentence for how an image differs from the reference.
export function evidenceText(image) {
  if (image.reference) return t("evidence.reference");
  if (!image.sentence) return t("evidence.exact");
  const what = image.sentence[language];
  return upper(image.kind === "possible" ? t("evidence.possible", { what }) : what);
}

export const reasonText = (reason) => (has(`reason.${reason}`) ? t(`reason.${reason}`) : reason.replaceAll("_", " "));
