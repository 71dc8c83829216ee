// The list of groups: figures, watched folders, filters, and the groups as cards, without an end.

import { openHelp } from "../components/key-help.js";
import { bindKeys } from "../components/keys.js";
import { scenesHead, scenesTab } from "../components/scenes.js";
import { toast } from "../components/toast.js";
import { get, remove } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { loadRoots } from "../core/live.js";
import { read, subscribe } from "../core/store.js";
import { errorText, t } from "../core/text.js";
import { firstFolder } from "../folders/root-dialog.js";
import { openDetect } from "../jobs/detect-dialog.js";
import { groupAddress, groupQuery, listAddress } from "../review/addresses.js";
import { actionsFor, decideAtOnce } from "../review/bulk.js";
import { acceptProposal, followDecisions, takeOver, undo } from "../review/decisions.js";
import { confirmed } from "../review/dialogs.js";
import { emptyList } from "../review/empty-list.js";
import { endlessList } from "../review/endless-list.js";
import { groupCard } from "../review/group-card.js";
import { DECIDED, kindFilter, tools } from "../review/list-filters.js";
import { figures, searchHead, searchLine, updateFigures } from "../review/list-head.js";
import { columnsOf, placeBy } from "../review/list-grid.js";
import { inSight, markLast, pageAround, placeLeft, rememberPlace, scrollToPlace } from "../review/list-place.js";
import { listSelection } from "../review/list-selection.js";
import { standingNotice } from "../rules/named-rules.js";

export { gainText } from "../review/group-card.js";
export { LAST_KEY } from "../review/list-place.js";

// The first page, and the page around a place: of that, half as many groups are before it.
const PAGE = 24;
const AROUND = 48;
// From the first card in sight on, the cards whose decisions are read again when others were made.
const REFRESHED = 100;

export async function render(main, { signal, go }) {
  document.title = `${t("nav.groups")} · ${t("app.name")}`;
  const chosen = Object.fromEntries(new URLSearchParams(location.search));
  const query = groupQuery(chosen);
  const place = placeLeft();
  const [page, status, roots, { items: searches }] = await Promise.all([
    place
      ? pageAround(place, (around) => get("/groups", { ...query, around, limit: AROUND }, signal))
      : get("/groups", { ...query, limit: PAGE }, signal),
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
  // The review starts, and resumes, at the first undecided group.
  const review = async (event) => {
    event.preventDefault();
    const open = { ...query, decided: chosen.decided || DECIDED.open, limit: 1, images: 1 };
    const first = await get("/groups", open, signal).catch(() => ({ items: [] }));
    go(groupAddress(first.items[0] ?? page.items[0], chosen));
  };
  const { kind, scenes, root, path, min, decided, since, until } = chosen;
  const filtered = Boolean(kind || scenes || root || path || min || decided || since || until);
  const change = (changes) => go(listAddress({ ...chosen, ...changes }), { keepScroll: true });

  const list = h("div", { class: "groups" });
  const remember = rememberPlace(list, signal);
  // What is in sight stays where it is.
  const reload = () => {
    remember();
    return go(location.href, { replace: true, keepScroll: true });
  };
  // A group of a limited search is decided there.
  const accept = async (group) => {
    if (await acceptProposal({ ...group, search: chosen.search }))
      toast(t("review.accepted"), "good", [t("action.undo"), undo]);
  };
  let { total } = page;
  const act = async (action, ids) => {
    const whole = ids === null;
    const first = whole ? groups.items[0]?.id : ids[0];
    const selects = whole ? query : { search: query.search };
    if (await decideAtOnce({ action, query: selects, ids, first, undone: reload })) reload();
  };
  const selection = listSelection({
    list,
    act,
    actions: actionsFor(scenes === "only"),
    total: () => total,
    signal,
  });
  const groups = endlessList({
    list,
    first: page,
    load: (where) => get("/groups", { ...query, ...where }, signal),
    draw: (group) => selection.decorate(groupCard(group, chosen, { pick: selection.box(group), accept })),
    onLoaded: (more) => {
      ({ total } = more);
      selection.draw();
    },
    signal,
  });
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
    search ? null : await standingNotice(signal, reload),
    h(
      "section",
      { class: "list-head", "aria-label": t("groups.filters") },
      scenes === "only" ? null : kindFilter(page.kinds, kind, change),
      scenesTab(page.scenes, scenes, change),
      tools(chosen, search ? [] : roots, change, page.items.length ? () => selection.setAll(true) : null),
    ),
    scenesHead(scenes),
    fresh,
    page.items.length
      ? [groups.top, list, groups.bottom]
      : emptyList(status, { filtered, change, detect, search, chosen, signal }),
    selection.bar,
    page.items.length && !search
      ? h(
          "p",
          { class: "list-foot" },
          h("button", { type: "button", class: "link", onclick: () => clearResults(go) }, t("clear.do")),
        )
      : null,
  );

  markLast(list);
  if (place) scrollToPlace(list, place, cardAtPlace(list, page));
  groups.watch();

  // The first value may be the state when the list was loaded.
  let known = read("groups");
  const onGroups = (now) => {
    const isWhole = !filtered && !search;
    const changed = (known && known.changed !== now.changed) || (isWhole && now.total !== total);
    known ??= now;
    // The list is not replaced while it is being read: a button offers the new one.
    if (changed && isWhole && !page.items.length) change({});
    else if (changed || isWhole) fresh.hidden = !changed;
  };
  subscribe("groups", onGroups, { signal });
  let latest = status;
  const onStatus = (now) => {
    latest = now;
    updateFigures(now);
  };
  subscribe("status", onStatus, { signal });
  subscribe("progress", () => updateFigures(latest), { signal });
  // Progress that arrived while the list was drawn is not sent again.
  updateFigures(latest);
  subscribe("decided", groups.redraw, { signal });
  followDecisions(async (isCurrent) => {
    const first = inSight(list);
    if (!first) return;
    const now = await get(
      "/groups",
      { ...groupQuery({ ...chosen, decided: "" }), around: first, limit: REFRESHED },
      signal,
    );
    if (!isCurrent()) return;
    for (const current of now.items) {
      const shown = groups.items.find(({ id }) => id === current.id);
      if (shown && takeOver(shown, current)) groups.redraw(shown.id);
    }
  }, signal);
  const focused = () => {
    const card = document.activeElement?.closest("[data-group]");
    return groups.items.find(({ id }) => id === card?.dataset.group);
  };
  const onSelection = (action) => (selection.isEmpty() ? null : act(action, selection.chosen()));
  bindKeys(
    {
      accept: () => onSelection("accept") ?? (focused() && accept(focused())),
      keep: () => onSelection("keep"),
      deny: () => onSelection("not_duplicates"),
      undo: async () => {
        if (await undo()) reload();
      },
      plan: () => go("/plan"),
      help: openHelp,
      next: () => list.parentElement && list.querySelector("a.pair")?.click(),
      image_after: (key) => step(list, key, 1),
      image_before: (key) => step(list, key, -1),
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

// The card at the place that a page was loaded around, for a group that has left the list.
function cardAtPlace(list, page) {
  const place = page.next ? page.items.length - AROUND : page.previous ? AROUND / 2 : 0;
  return list.children[Math.max(0, place)];
}

// Moves the focus from card to card.
function step(list, key, by) {
  const links = [...list.querySelectorAll("a.pair")];
  const here = links.indexOf(document.activeElement);
  links[here < 0 ? 0 : placeBy(key, by, here, links.length, columnsOf(list))]?.focus();
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
