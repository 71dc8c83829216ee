// What is known of two images, side by side: the better value stands out, and above it who each is and what becomes of it.

import { h, icon } from "./dom.js";
import { markButtons } from "./marks.js";
import { dateText, evidenceText, folderText, formatText, size } from "./pictures.js";
import { bytes, day, percent, safe, split, t } from "./text.js";
import { toast } from "./toast.js";

const time = (text) => (text ? -new Date(text).getTime() : -Infinity);

// Each fact, how it is told, and what makes one value the better; no judgement where none can be made.
const FACTS = [
  ["size", size, (image) => image.width * image.height],
  ["bytes", (image) => bytes(image.size_bytes), (image) => image.size_bytes],
  ["format", formatText, (image) => Math.min(image.jpeg_quality ?? (image.format ? 100 : 0), image.earlier_quality ?? 100)],
  ["date", (image) => (image.taken ? dateText(image) : "–"), (image) => time(image.taken)],
  ["modified", (image) => day(image.modified), (image) => time(image.modified)],
  ["camera", (image) => image.camera || "–", (image) => (image.camera ? 1 : 0)],
  ["metadata", (image) => image.metadata.join(", ").toUpperCase() || "–", (image) => image.metadata.length],
];

// `shown` are the images with their numbers: [{image, number, role}]; `choose` decides on one.
export function factsTable(shown, { choose, proposed, linkable }) {
  const images = shown.map(({ image }) => image);
  const row = (label, cells) => h("tr", {}, h("th", { scope: "row" }, label), cells);
  return h("table", { class: "compare-facts" },
    h("thead", {}, h("tr", {}, h("td"), shown.map((one) => h("th", { scope: "col" }, heading(one, proposed))))),
    h("tbody", {},
      h("tr", { class: "deciding" }, h("th", { scope: "row" }, h("span", { class: "sr" }, t("fact.decision"))),
        shown.map(({ image }) => h("td", {}, markButtons(image, split(image.path).name, { linkable: linkable(image), choose: (choice, event) => choose(image, choice, event) })))),
      FACTS.map(([fact, text, value]) => row(t(`fact.${fact}`), cells(images, text, value))),
      row(t("fact.folder"), images.map((image) => h("td", { class: "where" }, h("span", { class: "folder", title: safe(image.path) }, folderText(image)),
        image.protected ? h("span", { class: "lock", title: t("root.protected") }, icon("lock", 13)) : null, alsoAt(image)))),
      row(t("fact.file"), images.map((image) => h("td", {}, links(image))))));
}

function cells(images, text, value) {
  const values = images.map(value);
  const best = Math.max(...values);
  // What reads the same is the same to the reader: an hour between two files of one day is no merit.
  const differ = new Set(images.map(text)).size > 1 && values.some((one) => one !== best);
  return images.map((image, place) => {
    const wins = differ && values[place] === best && best > -Infinity;
    return h("td", { class: wins ? "best" : differ ? "lesser" : "" }, text(image), wins ? h("span", { class: "sr" }, t("fact.best")) : null);
  });
}

function heading({ image, number, role }, proposed) {
  const { name } = split(image.path);
  return [h("span", { class: "heading" }, h("span", { class: "number" }, String(number)), h("span", { class: "name", title: safe(image.path) }, name)),
    image.id === proposed ? h("span", { class: "proposed", title: t("proposal.help") }, icon("star", 13), t("proposal.keep")) : null,
    h("small", {}, role)];
}

const alsoAt = (image) => (image.also_at.length ? h("details", { class: "also" }, h("summary", {}, t("image.also_at", { n: image.also_at.length })),
  h("ul", {}, image.also_at.map((path) => h("li", {}, safe(path))))) : null);

const links = (image) => h("span", { class: "links" },
  h("a", { href: image.content, target: "_blank", rel: "noopener", title: t("image.original") }, icon("open", 15), h("span", {}, t("image.original"))),
  h("button", { class: "link", type: "button", title: t("image.copy_path"), "aria-label": t("image.copy_path"), onclick: () => copyPath(image.path) }, icon("copy", 15)));

async function copyPath(path) {
  try {
    await navigator.clipboard.writeText(path);
    toast(t("image.copied"));
  } catch {
    // No clipboard without https, away from this machine: the path is shown for copying by hand.
    prompt(t("image.copy_path"), path);
  }
}

// How an image comes from the reference, and how sure that is.
export function matchText(image) {
  const sure = image.kind === "exact" || image.reference ? null
    : h("small", {}, `${t("group.sure", { share: percent(image.confidence) })} · ${t("fact.told", { name: t("fact.distance"), value: t("fact.bits", { n: image.distance }) })}`);
  return h("p", { class: "evidence" }, evidenceText(image), sure);
}

// Why this image is proposed: the criterion that decided, and the others behind it.
export function proposalText(group, numberOf) {
  const { proposal } = group;
  if (!proposal) return null;
  const last = proposal.reasons.at(-1);
  const reason = ({ criterion, value }) => t(`because.${criterion}`, { value: valueText(criterion, value) });
  return h("div", { class: `proposal${proposal.tie ? " tie" : ""}` },
    h("p", {}, icon("star", 15), h("span", {}, t("proposal.text", { n: String(numberOf(proposal.image)), why: last ? reason(last) : t("because.only") }))),
    proposal.reasons.length > 1 ? h("details", {}, h("summary", {}, t("proposal.steps")), h("ol", {}, proposal.reasons.map((one) =>
      h("li", {}, reason(one), h("small", {}, t("proposal.left", { left: one.left, of: one.of })))))) : null);
}

export function valueText(criterion, value) {
  if (!value) return "";
  if (criterion === "resolution") return value.replace("x", " × ");
  if (criterion === "size") return bytes(Number(value));
  if (criterion === "taken" || criterion === "age") return day(value);
  return criterion === "metadata" ? value.toUpperCase() : value;
}
