// Where a person is in the list of groups, kept in the entry of the history: coming back, by Escape, by the browser or
// after a reload, the list shows the same group at the same height.

import { debounced } from "../core/debounce.js";

export const LAST_KEY = "comparimg-last-group";
const SETTLED_MS = 150;
// The height of what may cover the top of a card.
const COVERED_PX = 70;

const store = (place) => history.replaceState({ ...history.state, list: place }, "");
const topOf = (card) => Math.round(card.getBoundingClientRect().top);

// Where the list was left, {id, top}: a group and its height in the window; null for the start of the list. `last` is
// the group that was reviewed last, where the review went on from the one that was opened.
export function placeLeft() {
  const place = history.state?.list;
  if (!place) return null;
  const last = sessionStorage.getItem(LAST_KEY);
  return { ...place, last: place.opened && last !== place.opened ? last : null };
}

// The page of the list around that place. `load` requests the one around the group with an id.
export async function pageAround(place, load) {
  const page = await load(place.id);
  if (!place.last || page.items.some(({ id }) => id === place.last)) return page;
  // The review went on beyond it.
  Object.assign(place, { id: place.last, top: innerHeight / 3 });
  return load(place.id);
}

const firstInSight = (list) => [...list.children].find((one) => one.getBoundingClientRect().bottom > COVERED_PX);

// The id of the first group in sight.
export const inSight = (list) => firstInSight(list)?.dataset.group;

// Remembers where the list is while it is scrolled, and which group is opened.
export function rememberPlace(list, signal) {
  const remember = () => {
    if (signal.aborted || !list.isConnected) return;
    const card = firstInSight(list);
    // At the very top the list begins with whatever is its first group then.
    store(card && scrollY > COVERED_PX ? { id: card.dataset.group, top: topOf(card) } : null);
  };
  addEventListener("scroll", debounced(remember, SETTLED_MS), { signal, passive: true });
  list.addEventListener(
    "click",
    (event) => {
      const card = event.target.closest("[data-group]");
      if (card && event.target.closest("a[href]"))
        store({ id: card.dataset.group, top: topOf(card), opened: card.dataset.group });
    },
    { signal, capture: true },
  );
  return remember;
}

const cardOf = (list, id) => [...list.children].find(({ dataset }) => dataset.group === id);

// Scrolls so that the group is where it was, and the one reviewed last in sight; `fallback` is the card at its place if
// the list no longer has it.
export function scrollToPlace(list, { id, top, last }, fallback) {
  const card = cardOf(list, id) ?? fallback;
  if (card) scrollBy(0, topOf(card) - top);
  const reviewed = last && cardOf(list, last);
  const isHidden = ({ bottom, top: upper }) => bottom < COVERED_PX || upper > innerHeight;
  if (reviewed && isHidden(reviewed.getBoundingClientRect())) reviewed.scrollIntoView({ block: "center" });
}

// Marks the group that was reviewed last; coming back to the list, it has the focus.
export function markLast(list) {
  const card = cardOf(list, sessionStorage.getItem(LAST_KEY));
  card?.classList.add("last");
  if (history.state?.list?.opened) card?.querySelector("a.pair")?.focus({ preventScroll: true });
}
