// The facts of two images side by side, with the better value emphasised and the buttons that decide on each.

import { attachmentsText, evidenceText, folderText, formatText, size, trashedText } from "../components/pictures.js";
import { toast } from "../components/toast.js";
import { h, icon } from "../core/dom.js";
import { bytes, day, decimal, language, percent, safe, split, t } from "../core/text.js";
import { otherChoices } from "./decision-chips.js";

const time = (text) => (text ? -new Date(text).getTime() : -Infinity);

// [name, text, rank]: the higher rank is the better value. Equal ranks and unknown values are not compared.
const FACTS = [
  ["size", size, (image) => image.width * image.height],
  ["bytes", (image) => bytes(image.size_bytes), (image) => image.size_bytes],
  [
    "format",
    formatText,
    (image) => Math.min(image.jpeg_quality ?? (image.format ? 100 : 0), image.earlier_quality ?? 100),
  ],
  ["date", takenText, (image) => time(image.taken)],
  ["modified", (image) => day(image.modified), (image) => time(image.modified)],
  ["camera", (image) => image.camera || "–", (image) => (image.camera ? 1 : 0)],
  ["metadata", (image) => image.metadata.join(", ").toUpperCase() || "–", (image) => image.metadata.length],
];

// The same, shown where one of the images has any.
const RARE_FACTS = [
  ["attachments", (image) => attachmentsText(image) || "–", (image) => image.attachments.length],
  ["title", ({ description }) => safe(description.title) || "–", () => 0],
  ["caption", ({ description }) => short(safe(description.caption)) || "–", () => 0],
  ["keywords", keywordsText, ({ description }) => description.keywords.length + description.hierarchies.length],
  ["rating", ({ description }) => "★".repeat(description.rating ?? 0) || "–", () => 0],
  ["label", ({ description }) => safe(description.label) || "–", () => 0],
  ["place", ({ description }) => placeText(description), () => 0],
  ["trashed_before", trashedText, (image) => (image.trashed_before ? 0 : 1)],
  ["damage", (image) => image.damage ?? "–", (image) => (image.damage ? 0 : 1)],
];
const isAny = (text) => text !== "–";

// The capture date, with its source unless that is EXIF.
function takenText({ taken, description }) {
  if (!taken) return "–";
  const { dated_by: source } = description;
  if (!source || source === "exif") return day(taken);
  return t("fact.date.from", { date: day(taken), from: t(`fact.date.${source}`) });
}

// The table should stay visible; REST has the whole text.
const LONGEST = 100;
const short = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

// Keywords, nested ones with their path; a keyword that ends such a path is not repeated.
function keywordsText({ description: { keywords, hierarchies } }) {
  const paths = hierarchies.map((path) => path.split("|"));
  const last = new Set(paths.map((path) => path.at(-1)));
  const plain = keywords.filter((word) => !last.has(word));
  return short([...paths.map((path) => path.join(" › ")), ...plain].map(safe).join(", ")) || "–";
}

function placeText({ location, place }) {
  const names = safe(location.join(", "));
  const degrees = place ? `${place.latitude.toFixed(4)}, ${place.longitude.toFixed(4)}` : "";
  return names && degrees ? `${names} (${degrees})` : names || degrees || "–";
}

// `shown` are the images with their numbers: [{image, number, role}]; `choose` decides on one of them. A better value
// is emphasised if it supports the image that is `surely` the original: a copy may be larger than that.
export function factsTable(shown, { choose, proposed, surely, linkable }) {
  const images = shown.map(({ image }) => image);
  const row = (label, cells) => h("tr", {}, h("th", { scope: "row" }, label), cells);
  return h(
    "table",
    { class: "compare-facts" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("td"),
        shown.map((entry) => h("th", { scope: "col" }, heading(entry, proposed))),
      ),
    ),
    h(
      "tbody",
      {},
      h(
        "tr",
        { class: "deciding" },
        h("th", { scope: "row" }, h("span", { class: "sr" }, t("fact.decision"))),
        shown.map(({ image }) =>
          h(
            "td",
            {},
            otherChoices(image, split(image.path).name, {
              linkable: linkable(image),
              choose: (choice, event) => choose(image, choice, event),
            }),
          ),
        ),
      ),
      [...FACTS, ...RARE_FACTS.filter(([, text]) => images.map(text).some(isAny))].map(([fact, text, value]) =>
        row(t(`fact.${fact}`), cells(images, text, value, surely)),
      ),
      row(
        t("fact.folder"),
        images.map((image) =>
          h(
            "td",
            { class: "where" },
            h("span", { class: "folder", title: safe(image.path) }, folderText(image)),
            image.protected ? h("span", { class: "lock", title: t("root.protected") }, icon("lock", 13)) : null,
            image.temporary ? h("small", { class: "quiet" }, t("image.temporary")) : null,
            alsoAt(image),
          ),
        ),
      ),
      row(
        t("fact.file"),
        images.map((image) => h("td", {}, links(image))),
      ),
    ),
  );
}

function cells(images, text, value, surely) {
  const values = images.map(value);
  const best = Math.max(...values);
  // Values that are displayed alike are equal: an hour between two files of one day makes neither better.
  const speaks = !surely || images.every(({ id }, place) => id !== surely || values[place] === best);
  const differ = speaks && new Set(images.map(text)).size > 1 && values.some((rank) => rank !== best);
  return images.map((image, place) => {
    const wins = differ && values[place] === best && best > -Infinity;
    return h(
      "td",
      { class: wins ? "best" : differ ? "lesser" : "" },
      text(image),
      wins ? h("span", { class: "sr" }, t("fact.best")) : null,
    );
  });
}

function heading({ image, number, role }, proposed) {
  const { name } = split(image.path);
  return [
    h(
      "span",
      { class: "heading" },
      h("span", { class: "number" }, String(number)),
      h("span", { class: "name", title: safe(image.path) }, name),
    ),
    image.id === proposed
      ? h("span", { class: "proposed", title: t("proposal.help") }, icon("star", 13), t("proposal.keep"))
      : null,
    h("small", {}, role),
  ];
}

const alsoAt = (image) =>
  image.also_at.length
    ? h(
        "details",
        { class: "also" },
        h("summary", {}, t("image.also_at", { n: image.also_at.length })),
        h(
          "ul",
          {},
          image.also_at.map((path) => h("li", {}, safe(path))),
        ),
      )
    : null;

const links = (image) =>
  h(
    "span",
    { class: "links" },
    h(
      "a",
      { href: image.content, target: "_blank", rel: "noopener", title: t("image.original") },
      icon("open", 15),
      h("span", {}, t("image.original")),
    ),
    h(
      "button",
      {
        class: "link",
        type: "button",
        title: t("image.copy_path"),
        "aria-label": t("image.copy_path"),
        onclick: () => copyPath(image.path),
      },
      icon("copy", 15),
    ),
  );

async function copyPath(path) {
  try {
    await navigator.clipboard.writeText(path);
    toast(t("image.copied"));
  } catch {
    // Browsers have no clipboard over plain http except on localhost: the path is shown to be copied by hand.
    prompt(t("image.copy_path"), path);
  }
}

// How an image differs from the one that is compared with it, and with what confidence the two match: that of
// `matched`, the one of them that is not the reference.
export function matchText(image, matched = image) {
  const sure =
    matched.kind === "exact" || matched.reference
      ? null
      : h(
          "small",
          {},
          [
            t("group.sure", { share: percent(matched.confidence) }),
            t("fact.line", { name: t("fact.distance"), value: t("fact.bits", { n: matched.distance }) }),
            cosineText(matched.evidence?.cosine),
          ]
            .filter(Boolean)
            .join(" · "),
        );
  return h("p", { class: "evidence" }, evidenceText(image), sure);
}

// How similar two pictures are for the model, if it compared them.
export const cosineText = (cosine) =>
  cosine === undefined ? "" : t("fact.line", { name: t("fact.cosine"), value: decimal(cosine) });

// Rounded down, so that a near certainty is not shown as certain. A tie shows none: of several pictures one may be
// doubtful. Files of one picture, of which the path decides, show none either.
const certaintyText = ({ certainty, tie, reasons }) =>
  certainty && certainty < 1 && !tie && reasons.at(-1)?.criterion !== "path"
    ? h("small", {}, t("proposal.certainty", { share: percent(Math.floor(100 * certainty) / 100) }))
    : null;

// Why this image is proposed: the criterion that decided, and the steps before it. The evidence for one image
// compared with another is given for those in `shown`.
export function proposalText(group, shown, numberOf) {
  const { proposal } = group;
  if (!proposal) return null;
  const isShown = (id) => shown.some(({ image }) => image.id === id);
  const speaking = proposal.speaking.filter(({ image, other }) => isShown(image) && isShown(other));
  // The criterion that left out most images: of the last two, which may be equal, the path may have chosen one.
  const steps = proposal.reasons.filter(({ left, of }) => left < of);
  const main = steps.reduce((most, step) => (step.of - step.left > most.of - most.left ? step : most), steps[0]);
  const reason = ({ criterion, value }) =>
    t(criterion === "original" && proposal.tie ? "because.original.tie" : `because.${criterion}`, {
      value: valueText(criterion, value),
    });
  return h(
    "div",
    { class: `proposal${proposal.tie ? " tie" : ""}` },
    h(
      "p",
      {},
      icon("star", 15),
      h(
        "span",
        {},
        t(proposal.tie ? "proposal.text.tie" : "proposal.text", {
          n: String(numberOf(proposal.image)),
          why: main ? reason(main) : t("because.only"),
        }),
        certaintyText(proposal),
      ),
    ),
    proposal.original_absent
      ? h("p", {}, t("proposal.absent"))
      : proposal.tie
        ? h("p", {}, t("proposal.uncertain"))
        : null,
    speaking.length
      ? h(
          "ul",
          { class: "speaking" },
          speaking.map(({ image, other, sentence }) =>
            h(
              "li",
              {},
              t("proposal.speaks", {
                n: String(numberOf(image)),
                other: String(numberOf(other)),
                why: sentence[language],
              }),
            ),
          ),
        )
      : null,
    proposal.reasons.length > 1
      ? h(
          "details",
          {},
          h("summary", {}, t("proposal.steps")),
          h(
            "ol",
            {},
            proposal.reasons.map((step) =>
              h("li", {}, reason(step), h("small", {}, t("proposal.left", { left: step.left, of: step.of }))),
            ),
          ),
        )
      : null,
  );
}

export function valueText(criterion, value) {
  if (!value) return "";
  if (criterion === "resolution") return value.replace("x", " × ");
  if (criterion === "size") return bytes(Number(value));
  if (criterion === "taken" || criterion === "age") return day(value);
  if (criterion === "original") return percent(Number(value));
  if (criterion === "attachments") {
    return value
      .split(", ")
      .map((kind) => t(`attachment.${kind}`))
      .join(", ");
  }
  return criterion === "metadata" ? value.toUpperCase() : value;
}
