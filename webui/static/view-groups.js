// Duplicates: figures, watched folders, and the groups as cards, one page of them at a time.

import { get, remove } from "./api.js";
import { acceptProposal, decisions, undo } from "./decisions.js";
import { openDetect } from "./detect.js";
import { h, icon, show } from "./dom.js";
import { queue } from "./jobs.js";
import { bindKeys, openHelp } from "./keys.js";
import { live, state } from "./live.js";
import { markChip } from "./marks.js";
import { evidenceText, factsText, folderText, kindChip, thumbnail } from "./pictures.js";
import { progressLine } from "./progress.js";
import { confirmed } from "./review-dialogs.js";
import { bytes, errorText, number, split, t } from "./text.js";
import { toast } from "./toast.js";

const PAGE = 24;
const KINDS = ["exact", "pixels", "near", "possible"];
const SORTS = ["reclaimable", "size", "date", "confidence"];
const DECIDED = { open: "none,partly", done: "fully" };

export async function render(main, { signal, go }) {
  document.title = `${t("nav.groups")} · ${t("app.name")}`;
  const chosen = Object.fromEntries(new URLSearchParams(location.search));
  const query = { kind: chosen.kind, root: chosen.root, path: chosen.path, min_images: chosen.min, decided: chosen.decided,
    sort: chosen.sort ?? "reclaimable", order: chosen.order, cursor: chosen.after, limit: PAGE };
  const [page, status, roots] = await Promise.all([
    get("/groups", query, signal), get("/status", {}, signal), get("/roots", { limit: 200 }, signal),
  ]);
  state.roots = { items: roots.items };
  const filtered = Boolean(chosen.kind || chosen.root || chosen.path || chosen.min || chosen.decided);
  const change = (changes) => go(address({ ...chosen, after: "", from: "", ...changes }), { keepScroll: true });

  const list = h("div", { class: "groups" }, page.items.map((group) => card(group, chosen)));
  const redraw = ({ detail }) => {
    const place = page.items.findIndex((group) => group.id === detail);
    if (place >= 0) list.children[place].replaceWith(card(page.items[place], chosen));
  };
  const fresh = h("button", { class: "fresh", type: "button", hidden: true, onclick: () => change({}) },
    icon("refresh", 16), t("groups.fresh"));
  show(main,
    h("h1", { class: "sr" }, t("nav.groups")),
    figures(status, roots.items, page, chosen, signal),
    h("section", { class: "list-head", "aria-label": t("groups.filters") },
      kindFilter(page.kinds, chosen.kind, change), tools(chosen, roots.items, change)),
    fresh,
    page.items.length ? list : nothing(status, roots.items, filtered, change),
    page.items.length ? pager(page, chosen, go) : null,
    page.items.length ? h("p", { class: "list-foot" }, h("button", { type: "button", class: "link", onclick: () => clearResults(go) }, t("clear.do"))) : null);

  // What is told first is how it was when the list was asked for.
  let known = state.groups;
  live.addEventListener("groups", ({ detail }) => {
    const changed = filtered ? known && known.changed !== detail.changed : detail.total !== page.total;
    known ??= detail;
    // A list that changes under the eyes of a reader is worse than an old one: it is offered, not forced.
    if (changed && !filtered && !page.items.length) change({});
    else if (changed || !filtered) fresh.hidden = !changed;
  }, { signal });
  live.addEventListener("status", ({ detail }) => updateFigures(detail), { signal });
  decisions.addEventListener("marks", redraw, { signal });
  bindKeys({
    undo: async () => { if (await undo()) go(location.href, { replace: true, keepScroll: true }); },
    plan: () => go("/plan"), help: openHelp,
    next: () => list.parentElement && list.querySelector("a.pair")?.click(),
    image_after: () => step(list, 1), image_before: () => step(list, -1),
  }, signal);
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !/INPUT|TEXTAREA/.test(document.activeElement.tagName)) {
      event.preventDefault();
      main.querySelector("input[type=search]").focus();
    }
  }, { signal });
}

// From card to card by arrow keys.
function step(list, by) {
  const links = [...list.querySelectorAll("a.pair")];
  const here = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, here < 0 ? 0 : here + by))]?.focus();
}

async function clearResults(go) {
  if (!await confirmed(t("clear.title"), t("clear.text"), t("clear.action"))) return;
  try {
    await remove("/groups");
    toast(t("clear.done"));
    go("/");
  } catch (error) {
    toast(errorText(error), "wrong");
  }
}

export function address(chosen) {
  const given = Object.entries(chosen).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given).toString();
  return text ? `/?${text}` : "/";
}

// Figures and folders

function figures({ totals, detection, index_restored: restored, index_put_back: putBack }, roots, page, chosen, signal) {
  const figure = (name, value, tone = "") =>
    h("div", { class: `figure ${tone}` }, h("dt", {}, t(`figure.${name}`)), h("dd", { data: { figure: name } }, value));
  return h("section", { class: "hero" },
    restored ? h("p", { class: "notice", role: "status" }, t("index.restored")) : null,
    putBack ? h("p", { class: "notice", role: "status" }, t("index.put_back")) : null,
    h("div", { class: "hero-figures" }, h("dl", { class: "figures" },
      figure("reclaimable", bytes(totals.reclaimable_bytes), "main"), figure("groups", number(totals.groups)),
      figure("images", number(totals.images))), progressLine(signal)),
    h("div", { class: "watched" }, h("h2", {}, t("watched.title")),
      h("ul", {}, roots.slice(0, 4).map(rootLine), roots.length > 4
        ? h("li", {}, h("a", { href: "/folders" }, t("watched.more", { n: roots.length - 4 }))) : null,
      roots.length ? null : h("li", { class: "quiet" }, t("watched.none")))),
    h("div", { class: "actions" },
      page.items.length ? h("a", { class: "button primary", href: groupAddress(page.items[0], chosen) }, icon("picture"), t("review.start")) : null,
      h("button", { class: page.items.length ? "" : "primary", type: "button", onclick: openDetect }, icon("search"), t("action.detect")),
      h("button", { type: "button", onclick: () => queue("scan") }, icon("refresh"), t("action.scan")),
      detection ? h("p", { class: "quiet small" }, t("figure.parameters", {
        bits: String(detection.hsize ** 2), tolerance: String(detection.tolerance) })) : null));
}

function rootLine(root) {
  const { name } = split(root.path);
  return h("li", { title: root.path, class: root.state },
    h("span", { class: `dot ${root.state}`, role: "img", "aria-label": t(`root.${root.state}`) }),
    h("a", { href: `/?root=${root.id}` }, name || "/"),
    root.protected ? h("span", { class: "lock", title: t("root.protected") }, icon("lock", 14)) : null,
    h("span", { class: "quiet" }, root.state === "offline" ? t("root.offline") : t("root.images", { n: root.images })));
}

function updateFigures({ totals }) {
  const values = { reclaimable: bytes(totals.reclaimable_bytes), groups: number(totals.groups), images: number(totals.images) };
  for (const [name, value] of Object.entries(values)) {
    const place = document.querySelector(`[data-figure=${name}]`);
    if (place && place.textContent !== value) place.textContent = value;
  }
}

// Filters

function kindFilter(kinds, chosen, change) {
  const all = Object.values(kinds).reduce((sum, n) => sum + n, 0);
  const button = (kind, n) => h("button", { type: "button", class: `tab kind-${kind || "all"}`, data: { keep: `kind-${kind}` }, "aria-pressed": String((chosen ?? "") === kind),
    title: kind ? t(`kind.${kind}.help`) : "", onclick: () => change({ kind }) },
  kind ? t(`kind.${kind}`) : t("kind.all"), h("span", { class: "n" }, number(n)));
  return h("div", { class: "tabs", role: "group", "aria-label": t("groups.by_kind") },
    button("", all), KINDS.filter((kind) => kinds[kind]).map((kind) => button(kind, kinds[kind])));
}

function tools(chosen, roots, change) {
  const order = chosen.order ?? "desc";
  const search = h("input", { type: "search", value: chosen.path ?? "", placeholder: t("groups.search"), "aria-label": t("groups.search"),
    autocomplete: "off", spellcheck: "false", data: { keep: "search" } });
  return h("form", { class: "tools", role: "search", onsubmit: (event) => { event.preventDefault(); change({ path: search.value.trim() }); } },
    h("span", { class: "search" }, icon("search", 16), search),
    h("select", { data: { keep: "decided" }, "aria-label": t("groups.decided"), onchange: (event) => change({ decided: event.target.value }) },
      [["", "any"], [DECIDED.open, "open"], [DECIDED.done, "done"]].map(([value, word]) =>
        h("option", { value, selected: value === (chosen.decided ?? "") }, t(`decided.${word}`)))),
    roots.length > 1 ? h("select", { data: { keep: "root" }, "aria-label": t("groups.root"), onchange: (event) => change({ root: event.target.value }) },
      h("option", { value: "" }, t("groups.any_root")),
      roots.map((root) => h("option", { value: String(root.id), selected: String(root.id) === chosen.root }, split(root.path).name || "/"))) : null,
    h("select", { data: { keep: "sort" }, "aria-label": t("groups.sort"), onchange: (event) => change({ sort: event.target.value }) },
      SORTS.map((sort) => h("option", { value: sort, selected: sort === (chosen.sort ?? "reclaimable") }, t(`sort.${sort}`)))),
    h("button", { type: "button", class: "square", data: { keep: "order" }, title: t(`order.${order}`), "aria-label": t(`order.${order}`),
      onclick: () => change({ order: order === "desc" ? "asc" : "" }) }, order === "desc" ? "↓" : "↑"));
}

// Cards

function groupAddress(group, chosen) {
  const { after, from, ...list } = chosen;
  return `/groups/${group.id}${address(list).slice(1)}`;
}

function card(group, chosen) {
  const { items } = group.images;
  if (!items.length) return h("article", { hidden: true });
  // First what stays or is proposed to, beside it what is least surely its copy: what a card says of a group must hold
  // for all of it.
  const proposed = items.find(({ id }) => id === group.proposal?.image);
  const first = items.find(({ decision }) => decision?.choice === "keep") ?? proposed ?? items[0];
  const other = items.find(({ id }) => id === group.weakest?.image && id !== first.id) ?? items.find(({ id }) => id !== first.id);
  const told = other?.reference ? first : other;
  // Of a large group the weakest may not be among the images that came: then only the kind holds for all of it.
  const known = !group.weakest || items.some(({ id }) => id === group.weakest.image);
  const more = group.images.total - 2;
  const target = groupAddress(group, chosen);
  const { name } = split(first.path);
  const open = group.images.items.some((image) => !image.decision);
  const picture = (image, badge) => h("figure", { class: image.decision ? `is-${image.decision.choice}` : "" }, thumbnail(image), badge, markChip(image));
  return h("article", { class: open ? "card" : "card decided" },
    h("a", { class: "pair", href: target, title: t("group.open", { name }) },
      picture(first, first.decision ? null : h("figcaption", { class: "badge" }, icon("star", 13), t(proposed ? "proposal.keep" : "group.reference"))),
      other ? picture(other, more > 0 ? h("span", { class: "more" }, `+${number(more)}`) : null) : h("figure", {})),
    h("div", { class: "card-text" },
      h("header", {}, kindChip(group.kind), h("span", { class: "gain" }, t("group.gain", { size: bytes(group.reclaimable_bytes) }))),
      h("h3", {}, h("a", { href: target, tabindex: "-1" }, name)),
      h("p", { class: "where" }, folderText(first)),
      told ? h("p", { class: "evidence" }, known ? evidenceText(told) : t(`kind.${group.kind}.help`)) : null,
      h("p", { class: "facts" }, [...new Set([first, other].filter(Boolean).map(factsText))].map((facts) => h("span", {}, facts)))),
    open ? h("button", { type: "button", class: "quick", title: t("review.accept.help"), onclick: () => accept(group) }, icon("check", 16), t("review.accept")) : null);
}

async function accept(group) {
  if (await acceptProposal(group)) toast(t("review.accepted"), "good", [t("action.undo"), undo]);
}

function pager(page, chosen, go) {
  const from = Number(chosen.from || 0);
  const turn = (changes) => go(address({ ...chosen, ...changes }));
  return h("nav", { class: "pager", "aria-label": t("pager.label") },
    h("button", { type: "button", disabled: from === 0, onclick: () => (history.state?.paged ? history.back() : turn({ after: "", from: "" })) },
      icon("left", 16), t(history.state?.paged || from === 0 ? "pager.previous" : "pager.first")),
    h("span", {}, t("pager.place", { from: number(from + 1), to: number(from + page.items.length), total: number(page.total) })),
    h("button", { type: "button", disabled: !page.next, onclick: async () => {
      const next = address({ ...chosen, after: page.next, from: from + page.items.length });
      history.pushState({ paged: true }, "", next);
      scrollTo(0, 0);
      await go(next, { replace: true });
      history.replaceState({ paged: true }, "", next);
    } }, t("pager.next"), icon("right", 16)));
}

// Nothing to show, and what to do about it

function nothing({ detection, totals, jobs }, roots, filtered, change) {
  const busy = jobs.length > 0;
  const [name, action] = filtered ? ["filtered", h("button", { type: "button", onclick: () => change({ kind: "", root: "", path: "", min: "", decided: "" }) }, t("empty.filtered.action"))]
    : !roots.length ? ["no_roots", null]
    : !totals.images ? [busy ? "reading" : "no_images", busy ? null : h("button", { type: "button", onclick: () => queue("scan") }, t("action.scan"))]
    : !detection ? [busy ? "searching" : "not_searched", busy ? null : h("button", { class: "primary", type: "button", onclick: openDetect }, t("action.detect"))]
    : ["no_duplicates", h("button", { type: "button", onclick: openDetect }, t("empty.no_duplicates.action"))];
  return h("div", { class: "empty" }, h("span", { class: "empty-picture", "aria-hidden": "true" }, icon("picture", 44)),
    h("h2", {}, t(`empty.${name}.title`)), h("p", {}, t(`empty.${name}.text`)), action);
}
