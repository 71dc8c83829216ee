// The head of the list of groups: figures, watched folders and what can be started, or the limited search it shows.

import { toast } from "../components/toast.js";
import { post, remove } from "../core/api.js";
import { h, icon } from "../core/dom.js";
import { read, subscribe } from "../core/store.js";
import { bytes, errorText, number, split, t } from "../core/text.js";
import { queue } from "../jobs/jobs.js";
import { groupAddress } from "./addresses.js";
import { progressLine } from "./progress.js";

const MOST_ROOTS = 4;
const UNKNOWN = "–";

export function figures(
  { totals, detection, model, index_restored: restored, index_put_back: putBack },
  roots,
  page,
  chosen,
  signal,
  { detect, review },
) {
  // Kept images are not reclaimable, and before the first search no duplicates are known.
  subscribe(
    "figures",
    ({ groups, reclaimable_bytes: open, planned_bytes: planned }) => {
      // It may arrive before the head is on the page.
      if (detection || groups) reclaimable.lastChild.textContent = bytes(open + planned);
    },
    { signal },
  );
  const figure = (name, value, tone = "") =>
    h("div", { class: `figure ${tone}` }, h("dt", {}, t(`figure.${name}`)), h("dd", { data: { figure: name } }, value));
  const reclaimable = figure("reclaimable", detection ? bytes(totals.reclaimable_bytes) : UNKNOWN, "main");
  return h(
    "section",
    { class: "hero" },
    restored ? h("p", { class: "notice", role: "status" }, t("index.restored")) : null,
    putBack ? h("p", { class: "notice", role: "status" }, t("index.put_back")) : null,
    model?.failure ? h("p", { class: "notice", role: "status" }, t("model.fails", { problem: model.failure })) : null,
    h(
      "div",
      { class: "hero-figures" },
      h(
        "dl",
        { class: "figures" },
        reclaimable,
        figure("groups", detection ? number(totals.groups) : UNKNOWN),
        figure("images", imagesText(totals)),
      ),
      progressLine(signal),
    ),
    h("div", { class: "watched" }, h("h2", {}, t("watched.title")), rootList(roots, signal)),
    h(
      "div",
      { class: "actions" },
      reviewLink(page, chosen, review),
      h(
        "button",
        { class: page.items.length ? "" : "primary", type: "button", onclick: detect },
        icon("search"),
        t("action.detect"),
      ),
      h("button", { type: "button", onclick: () => queue("scan") }, icon("refresh"), t("action.scan")),
      detection
        ? h(
            "p",
            { class: "quiet small" },
            t("figure.parameters", {
              bits: String(detection.hsize ** 2),
              tolerance: String(detection.tolerance),
            }),
          )
        : null,
    ),
  );
}

// The head of a limited search, which is a separate view from the library.
export function searchHead(search, page, chosen, { go, detect, review }) {
  const names = search.folders.map((path) => split(path).name || path).join(", ");
  return h(
    "section",
    { class: "search-head" },
    h(
      "div",
      { class: "only-in" },
      icon("folder", 16),
      h(
        "h2",
        { title: search.folders.join("\n") },
        t(search.recursive ? "search.only_in" : "search.only_in_flat", { name: names }),
      ),
      h(
        "button",
        {
          type: "button",
          class: "plain",
          title: t("search.dismiss"),
          "aria-label": t("search.dismiss"),
          onclick: () => dismiss(search, go),
        },
        icon("close", 15),
      ),
    ),
    h(
      "p",
      { class: "quiet small" },
      t("search.parameters", { bits: String(search.hsize ** 2), tolerance: String(search.tolerance) }),
    ),
    search.temporary.map((folder) =>
      h(
        "p",
        { class: "notice temporary" },
        t("search.temporary"),
        h(
          "button",
          { type: "button", class: "small", onclick: () => watch(folder, search, go) },
          icon("folder", 16),
          t("root.add"),
        ),
      ),
    ),
    h(
      "div",
      { class: "actions" },
      reviewLink(page, chosen, review),
      h("button", { type: "button", onclick: detect }, icon("search"), t("empty.no_duplicates.action")),
      h("a", { class: "button", href: "/" }, t("search.library")),
    ),
  );
}

function reviewLink(page, chosen, review) {
  if (!page.items.length) return null;
  const href = groupAddress(page.items[0], chosen);
  return h("a", { class: "button primary", href, onclick: review }, icon("picture"), t("review.start"));
}

// The search is kept, and its images can be decided.
async function watch(folder, search, go) {
  try {
    const { warning, remedy } = await post("/roots", { path: folder.uri });
    if (warning) toast(`${warning} ${remedy}`, "wrong");
    await go(`/?search=${search.id}`, { replace: true });
  } catch (error) {
    toast(errorText(error), "wrong");
  }
}

async function dismiss(search, go) {
  try {
    await remove(`/searches/${search.id}`);
    await go("/");
  } catch (error) {
    toast(errorText(error), "wrong");
  }
}

// Leads from the library to the limited search, as long as it is kept.
export const searchLine = (search, go) =>
  h(
    "p",
    { class: "search-line" },
    icon("search", 15),
    h(
      "a",
      { href: `/?search=${search.id}` },
      t("search.kept", { name: search.folders.map((path) => split(path).name || path).join(", "), n: search.groups }),
    ),
    h(
      "button",
      {
        type: "button",
        class: "plain",
        title: t("search.dismiss"),
        "aria-label": t("search.dismiss"),
        onclick: () => dismiss(search, go),
      },
      icon("close", 15),
    ),
  );

function rootList(roots, signal) {
  const list = h("ul", {});
  const draw = ({ items }) => {
    // Not while it is being pressed.
    if (list.contains(document.activeElement)) return;
    const more = items.length - MOST_ROOTS;
    list.replaceChildren(
      ...items.slice(0, MOST_ROOTS).map(rootLine),
      ...(more > 0 ? [h("li", {}, h("a", { href: "/folders" }, t("watched.more", { n: more })))] : []),
      ...(items.length ? [] : [h("li", { class: "quiet" }, t("watched.none"))]),
    );
  };
  draw({ items: roots });
  subscribe("roots", draw, { signal });
  return list;
}

function rootLine(root) {
  const { name } = split(root.path);
  return h(
    "li",
    { title: root.path, class: root.state },
    h("span", { class: `dot ${root.state}`, role: "img", "aria-label": t(`root.${root.state}`) }),
    h("a", { href: `/?root=${root.id}` }, name || "/"),
    root.protected ? h("span", { class: "lock", title: t("root.protected") }, icon("lock", 14)) : null,
    root.state === "offline" && root.reason ? h("span", { class: "reason" }, root.reason) : null,
    h("span", { class: "quiet" }, root.state === "offline" ? t("root.offline") : t("root.images", { n: root.images })),
  );
}

// While files are read, the images that are known of are more than those that were read. How many the index had before
// is not known: its images are reported at other moments than the progress, and most often ahead of it. The least
// difference that was seen is the nearest, and is kept with the figure.
function imagesText({ images }, place = null) {
  const reading = read("progress").jobs.filter(({ phase, state }) => phase === "indexing" && state === "running");
  const [done, total] = reading.reduce(([a, b], job) => [a + job.done, b + (job.total ?? 0)], [0, 0]);
  if (total <= done) return number(images);
  const jobs = reading.map(({ id }) => id).join();
  const least = place?.dataset.jobs === jobs ? Number(place.dataset.before) : Infinity;
  const before = Math.max(0, Math.min(least, images - done));
  if (place) Object.assign(place.dataset, { jobs, before });
  return t("figure.of", { n: number(before + done), of: number(before + total) });
}

export function updateFigures({ totals, detection }) {
  if (detection || totals.groups) setFigure("groups", number(totals.groups));
  setFigure("images", imagesText(totals, placeOf("images")));
}

const placeOf = (name) => document.querySelector(`[data-figure=${name}]`);

function setFigure(name, value) {
  const place = placeOf(name);
  if (place && place.textContent !== value) place.textContent = value;
}
