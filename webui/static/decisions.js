// Decisions: shown at once, told to the server in order, taken back where it refuses, and undone one after the other.

import { get, post, put, remove } from "./api.js";
import { errorText, t } from "./text.js";
import { toast } from "./toast.js";

export const CHOICES = ["keep", "trash", "move", "link"];

// Tells "marks" (a group, by id) whenever marks change, and "review" with the figures of the whole.
export const decisions = new EventTarget();

const KEPT = "comparimg-undo";
const MOST_KEPT = 500;
const FIGURES_MS = 250;

let waiting = Promise.resolve();
let figuresTimer = 0;
export const review = { figures: null };

const tellMarks = (id) => decisions.dispatchEvent(new CustomEvent("marks", { detail: id }));

export const choiceOf = (image) => image.decision?.choice ?? "undecided";

// Decide on images of a group: [{image, choice, destination?}]. The marks are there when this returns; the promise tells
// whether the server agreed.
export function decide(group, changes, { undoable = true } = {}) {
  const members = new Map(group.images.items.map((member) => [member.id, member]));
  const before = changes.map(({ image }) => [image, members.get(image)?.decision ?? null]);
  for (const change of changes) {
    const member = members.get(change.image);
    if (member) member.decision = change.choice === "undecided" ? null : { ...change, origin: "user" };
  }
  const entry = undoable ? remember({ group: group.id, changes: before.map(([image, decision]) => asChange(image, decision)) }) : null;
  tellMarks(group.id);
  const told = waiting.then(() => put(`/groups/${encodeURIComponent(group.id)}/decisions`, { decisions: changes }));
  waiting = told.catch(() => {});
  return told.then(() => { refreshFigures(); return true; }, (error) => {
    for (const [image, decision] of before) if (members.has(image)) members.get(image).decision = decision;
    if (entry) forget(entry);
    tellMarks(group.id);
    toast(errorText(error), "wrong");
    return false;
  });
}

const asChange = (image, decision) => (decision
  ? { image, choice: decision.choice, ...(decision.destination ? { destination: decision.destination } : {}) }
  : { image, choice: "undecided" });

// Keep the image proposed and what is protected, trash the rest. Of a large group only a part is loaded: the rest is asked
// for first.
export async function acceptProposal(group) {
  const items = group.images.next ? await everyImage(group) : group.images.items;
  const keeper = group.proposal?.image ?? items[0].id;
  return decide(group, items.map((image) => ({ image: image.id, choice: image.id === keeper || image.protected ? "keep" : "trash" })));
}

async function everyImage(group) {
  const items = [...group.images.items];
  for (let cursor = group.images.next; cursor;) {
    const { images } = await get(`/groups/${encodeURIComponent(group.id)}`, { cursor, limit: 200 });
    items.push(...images.items);
    cursor = images.next;
  }
  return items;
}

// Say that images are no duplicates: all of the group, or those named.
export async function deny(group, label, images = []) {
  await waiting;
  const { batch } = await post(`/groups/${encodeURIComponent(group.id)}/not-duplicates`, { label, images });
  remember({ group: group.id, verdict: batch });
  refreshFigures();
}

// Take back the last thing done here; the id of the group it was in, null where there is nothing to take back.
export async function undo() {
  const stack = kept();
  const last = stack.pop();
  if (!last) { toast(t("undo.nothing")); return null; }
  keep(stack);
  await waiting;
  try {
    if (last.verdict) await remove(`/verdicts/${last.verdict}`);
    else await put(`/groups/${encodeURIComponent(last.group)}/decisions`, { decisions: last.changes });
    toast(t("undo.done"));
    refreshFigures();
    tellMarks(last.group);
    return last.group;
  } catch (error) {
    toast(errorText(error), "wrong");
    return null;
  }
}

// The stack outlives a reload and goes with the tab: what another tab did is not undone here.
const kept = () => JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
const keep = (stack) => sessionStorage.setItem(KEPT, JSON.stringify(stack.slice(-MOST_KEPT)));

function remember(entry) {
  const made = { ...entry, at: `${Date.now()} ${Math.random()}` };
  keep([...kept(), made]);
  return made;
}

const forget = (entry) => keep(kept().filter(({ at }) => at !== entry.at));

export const settled = () => waiting;

export function refreshFigures(signal) {
  clearTimeout(figuresTimer);
  figuresTimer = setTimeout(() => loadFigures(signal).catch(() => {}), FIGURES_MS);
}

export async function loadFigures(signal) {
  review.figures = await get("/review", {}, signal);
  decisions.dispatchEvent(new CustomEvent("review", { detail: review.figures }));
  return review.figures;
}
