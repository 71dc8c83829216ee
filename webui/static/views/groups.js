// The list of groups: figures, watched folders, filters, and a page of groups as cards.

import { emptyState } from "../components/empty-state.js";
import { openHelp } from "../components/key-help.js";
import { bindKeys } from "../components/keys.js";
import { scenesHead, scenesTab } from "../components/scenes.js";
import { evidenceText, factsText, folderText, kindChip, thumbnail } from "../components/pictures.js";
import { toast } from "../components/toast.js";
import { get, remove } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { loadRoots } from "../core/live.js";
import { read, subscribe } from "../core/store.js";
import { bytes, errorText, number, split, t } from "../core/text.js";
import { firstFolder } from "../folders/root-dialog.js";
import { openDetect } from "../jobs/detect-dialog.js";
import { queue } from "../jobs/jobs.js";
import { groupAddress, groupQuery, listAddress } from "../review/addresses.js";
import { decisionChip } from "../review/decision-chips.js";
import { acceptProposal, undo } from "../review/decisions.js";
import { confirmed } from "../review/dialogs.js";
import { figures, searchHead, searchLine, updateFigures } from "../review/list-head.js";

const PAGE = 24;
export const LAST_KEY = "comparimg-last-group";
const KINDS = ["exact", "pixels", "near", "possible"];
const SORTS = ["reclaimable", "size", "date", "confidence"];
const DECIDED = { open: "none,partly", done: "fully" };

export async function render(main, { signal, go }) {
  document.title = `${t("nav.groups")} · ${t("app.name")}`;
  const chosen = Object.fromEntries(new URLSearchParams(location.search));
  const query = { ...groupQuery(chosen), cursor: chosen.after, limit: PAGE };
  const [page, status, roots, { items: searches }] = await Promise.all([
    get("/groups", query, signal),
    get("/status", {}, signal),
    loadRoots(signal),
    get("/searches", {}, signal),
  ]);
  const search = searches.find(({ id }) => String(id) === chosen.search);
  if (!roots.length && !searches.length) {
    show(main, firstFolder(go));
    return;
  }
  const detect = () => openDetect({ go, signal });
  // The review starts, and resumes, at the first group that is still open.
  const review = async (event) => {
    event.preventDefault();
    const open = { ...groupQuery(chosen), decided: chosen.decided || DECIDED.open, limit: 1, images: 1 };
    const first = await get("/groups", open, signal).catch(() => ({ items: [] }));
    go(groupAddress(first.items[0] ?? page.items[0], chosen));
  };
  const filtered = Boolean(chosen.kind || chosen.scenes || chosen.root || chosen.path || chosen.min || chosen.decided);
  const change = (changes) => go(listAddress({ ...chosen, after: "", from: "", ...changes }), { keepScroll: true });

  const list = h(
    "div",
    { class: "groups" },
    page.items.map((group) => card(group, chosen)),
  );
  const redraw = (id) => {
    const place = page.items.findIndex((group) => group.id === id);
    if (place >= 0) list.children[place].replaceWith(card(page.items[place], chosen));
  };
  const fresh = h(
    "button",
    { class: "fresh", type: "button", hidden: true, onclick: () => change({}) },
    icon("refresh", 16),
    t("groups.fresh"),
  );
  show(
    main,
    h("h1", { class: "sr" }, t("nav.groups")),
    search
      ? searchHead(search, page, chosen, { go, detect, review })
      : figures(status, roots, page, chosen, signal, { detect, review }),
    search ? null : searches.map((other) => searchLine(other, go)),
    h(
      "section",
      { class: "list-head", "aria-label": t("groups.filters") },
      chosen.scenes === "only" ? null : kindFilter(page.kinds, chosen.kind, change),
      scenesTab(page.scenes, chosen.scenes, change),
      tools(chosen, roots, change),
    ),
    scenesHead(chosen.scenes),
    fresh,
    page.items.length ? list : nothing(status, filtered, change, detect, search),
    page.items.length ? pager(page, chosen, go) : null,
    page.items.length && !search
      ? h(
          "p",
          { class: "list-foot" },
          h("button", { type: "button", class: "link", onclick: () => clearResults(go) }, t("clear.do")),
        )
      : null,
  );

  markLast(list);

  // The first value may be the state when the list was loaded.
  let known = read("groups");
  const onGroups = (groups) => {
    const changed = filtered || search ? known && known.changed !== groups.changed : groups.total !== page.total;
    known ??= groups;
    // The list is not replaced while someone reads it: a button offers the new one.
    if (changed && !filtered && !search && !page.items.length) change({});
    else if (changed || !(filtered || search)) fresh.hidden = !changed;
  };
  subscribe("groups", onGroups, { signal });
  let totals = status.totals;
  const onStatus = (now) => {
    totals = now.totals;
    updateFigures(now);
  };
  subscribe("status", onStatus, { signal });
  subscribe("progress", () => updateFigures({ totals }), { signal });
  subscribe("decided", redraw, { signal });
  bindKeys(
    {
      undo: async () => {
        if (await undo()) go(location.href, { replace: true, keepScroll: true });
      },
      plan: () => go("/plan"),
      help: openHelp,
      next: () => list.parentElement && list.querySelector("a.pair")?.click(),
      image_after: () => step(list, 1),
      image_before: () => step(list, -1),
    },
    signal,
  );
  addEventListener(
    "keydown",
    (event) => {
      if (event.key === "/" && !/INPUT|TEXTAREA/.test(document.activeElement.tagName)) {
        event.preventDefault();
        main.querySelector("input[type=search]").focus();
      }
    },
    { signal },
  );
}

// Marks the group that was reviewed last; coming back to the list, it has the focus.
function markLast(list) {
  const last = sessionStorage.getItem(LAST_KEY);
  const place = [...list.children].find(({ dataset }) => dataset.group === last);
  place?.classList.add("last");
  if ("scroll" in (history.state ?? {})) place?.querySelector("a.pair").focus({ preventScroll: true });
}

// Moves the focus from card to card.
function step(list, by) {
  const links = [...list.querySelectorAll("a.pair")];
  const here = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, here < 0 ? 0 : here + by))]?.focus();
}

async function clearResults(go) {
  if (!(await confirmed(t("clear.title"), t("clear.text"), t("clear.action")))) return;
  try {
    await remove("/groups");
    toast(t("clear.done"));
    go("/");
  } catch (error) {
    toast(errorText(error), "wrong");
  }
}

// Filters

function kindFilter(kinds, chosen, change) {
  const all = Object.values(kinds).reduce((sum, n) => sum + n, 0);
  const button = (kind, n) =>
    h(
      "button",
      {
        type: "button",
        class: `tab kind-${kind || "all"}`,
        data: { keep: `kind-${kind}` },
        "aria-pressed": String((chosen ?? "") === kind),
        title: kind ? t(`kind.${kind}.help`) : "",
        onclick: () => change({ kind }),
      },
      kind ? t(`kind.${kind}`) : t("kind.all"),
      h("span", { class: "n" }, number(n)),
    );
  return h(
    "div",
    { class: "tabs", role: "group", "aria-label": t("groups.by_kind") },
    button("", all),
    KINDS.filter((kind) => kinds[kind]).map((kind) => button(kind, kinds[kind])),
  );
}

function tools(chosen, roots, change) {
  const order = chosen.order ?? "desc";
  const search = h("input", {
    type: "search",
    value: chosen.path ?? "",
    placeholder: t("groups.search"),
    "aria-label": t("groups.search"),
    autocomplete: "off",
    spellcheck: "false",
    data: { keep: "search" },
  });
  return h(
    "form",
    {
      class: "tools",
      role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        change({ path: search.value.trim() });
      },
    },
    h("span", { class: "search" }, icon("search", 16), search),
    h(
      "select",
      {
        data: { keep: "decided" },
        "aria-label": t("groups.decided"),
        onchange: (event) => change({ decided: event.target.value }),
      },
      [
        ["", "any"],
        [DECIDED.open, "open"],
        [DECIDED.done, "done"],
      ].map(([value, word]) =>
        h("option", { value, selected: value === (chosen.decided ?? "") }, t(`decided.${word}`)),
      ),
    ),
    roots.length > 1
      ? h(
          "select",
          {
            data: { keep: "root" },
            "aria-label": t("groups.root"),
            onchange: (event) => change({ root: event.target.value }),
          },
          h("option", { value: "" }, t("groups.any_root")),
          roots.map((root) =>
            h(
              "option",
              { value: String(root.id), selected: String(root.id) === chosen.root },
              split(root.path).name || "/",
            ),
          ),
        )
      : null,
    h(
      "select",
      {
        data: { keep: "sort" },
        "aria-label": t("groups.sort"),
        onchange: (event) => change({ sort: event.target.value }),
      },
      SORTS.map((sort) =>
        h("option", { value: sort, selected: sort === (chosen.sort ?? "reclaimable") }, t(`sort.${sort}`)),
      ),
    ),
    h(
      "button",
      {
        type: "button",
        class: "square",
        data: { keep: "order" },
        title: t(`order.${order}`),
        "aria-label": t(`order.${order}`),
        onclick: () => change({ order: order === "desc" ? "asc" : "" }),
      },
      order === "desc" ? "↓" : "↑",
    ),
  );
}

// Cards

function card(group, chosen) {
  const { items } = group.images;
  if (!items.length) return h("article", { hidden: true });
  // The kept or proposed image, beside the one with the weakest match: what a card says must hold for the whole group.
  const proposed = items.find(({ id }) => id === group.proposal?.image);
  const first = items.find(({ decision }) => decision?.choice === "keep") ?? proposed ?? items[0];
  const other =
    items.find(({ id }) => id === group.weakest?.image && id !== first.id) ?? items.find(({ id }) => id !== first.id);
  const described = other?.reference && !other.sentence ? first : other;
  // The weakest match of a large group may not be loaded: then only the kind holds for the whole group.
  const isWeakest = !group.weakest || items.some(({ id }) => id === group.weakest.image);
  const more = group.images.total - 2;
  const target = groupAddress(group, chosen);
  const { name } = split(first.path);
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
    h(
      "a",
      { class: "pair", href: target, title: t("group.open", { name }) },
      picture(
        first,
        first.decision
          ? null
          : h("figcaption", { class: "badge" }, icon("star", 13), t(proposed ? "proposal.keep" : "group.reference")),
      ),
      other ? picture(other, more > 0 ? h("span", { class: "more" }, `+${number(more)}`) : null) : h("figure", {}),
    ),
    h(
      "div",
      { class: "card-text" },
      h("header", {}, kindChip(group.kind), group.scene ? null : h("span", { class: "gain" }, gainText(group))),
      h("h3", {}, h("a", { href: target, tabindex: "-1" }, name)),
      h("p", { class: "where" }, folderText(first)),
      described
        ? h("p", { class: "evidence" }, isWeakest ? evidenceText(described) : t(`kind.${group.kind}.help`))
        : null,
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

// What a group could free; nothing once all of its images are kept.
export function gainText(group) {
  const { items, next } = group.images;
  const isKept = !next && items.every(({ decision }) => decision?.choice === "keep" && !decision.stale);
  return isKept ? t("group.all_kept") : t("group.reclaimable", { size: bytes(group.reclaimable_bytes) });
}

async function accept(group) {
  if (await acceptProposal(group)) toast(t("review.accepted"), "good", [t("action.undo"), undo]);
}

function pager(page, chosen, go) {
  const from = Number(chosen.from || 0);
  const turn = (changes) => go(listAddress({ ...chosen, ...changes }));
  return h(
    "nav",
    { class: "pager", "aria-label": t("pager.label") },
    h(
      "button",
      {
        type: "button",
        disabled: from === 0,
        onclick: () => (history.state?.paged ? history.back() : turn({ after: "", from: "" })),
      },
      icon("left", 16),
      t(history.state?.paged || from === 0 ? "pager.previous" : "pager.first"),
    ),
    h(
      "span",
      {},
      t("pager.place", { from: number(from + 1), to: number(from + page.items.length), total: number(page.total) }),
    ),
    h(
      "button",
      {
        type: "button",
        disabled: !page.next,
        // The page before is the entry before in the history.
        onclick: () =>
          go(listAddress({ ...chosen, after: page.next, from: from + page.items.length }), { state: { paged: true } }),
      },
      t("pager.next"),
      icon("right", 16),
    ),
  );
}

// Empty lists

function nothing({ detection, totals, jobs }, filtered, change, detect, search) {
  const busy = jobs.length > 0;
  const [name, action] = filtered
    ? [
        "filtered",
        h(
          "button",
          { type: "button", onclick: () => change({ kind: "", root: "", path: "", min: "", decided: "" }) },
          t("empty.filtered.action"),
        ),
      ]
    : !totals.images
      ? [
          busy ? "reading" : "no_images",
          busy ? null : h("button", { type: "button", onclick: () => queue("scan") }, t("action.scan")),
        ]
      : !detection && !search
        ? [
            busy ? "searching" : "not_searched",
            busy ? null : h("button", { class: "primary", type: "button", onclick: detect }, t("action.detect")),
          ]
        : ["no_duplicates", h("button", { type: "button", onclick: detect }, t("empty.no_duplicates.action"))];
  return emptyState("picture", t(`empty.${name}.title`), t(`empty.${name}.text`), action);
}
