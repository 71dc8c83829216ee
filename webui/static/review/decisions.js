// Decisions: shown at once, sent to the service in order, reverted if it refuses them, and undone one by one.

import { toast } from "../components/toast.js";
import { get, post, put, remove, withQuery } from "../core/api.js";
import { debounced } from "../core/debounce.js";
import { publish, read, subscribe } from "../core/store.js";
import { errorText, t } from "../core/text.js";
import { effectOfJob } from "../jobs/jobs.js";

const STACK_KEY = "comparimg-undo";
const STACK_LENGTH = 500;
const FIGURES_MS = 250;

// `search` is the limited search that a group belongs to, undefined for a group of the library.
const groupPath = (id, search, rest) => `/groups/${encodeURIComponent(id)}${rest}${search ? `?search=${search}` : ""}`;

export const choiceOf = (image) => image.decision?.choice ?? "undecided";

// Decides on images of a group: [{image, choice, destination?}]. `group` is changed before this returns; the promise is
// true once the service has accepted, false if it refused and `group` was reverted.
export function decide(group, changes, { undoable = true } = {}) {
  const members = new Map(group.images.items.map((member) => [member.id, member]));
  const before = changes.map(({ image }) => [image, members.get(image)?.decision ?? null]);
  for (const change of changes) {
    const member = members.get(change.image);
    if (member) member.decision = change.choice === "undecided" ? null : { ...change, origin: "user" };
  }
  const entry = undoable
    ? remember({
        group: group.id,
        search: group.search,
        changes: before.map(([image, decision]) => asChange(image, decision)),
      })
    : null;
  publish("decided", group.id);
  const sent = settled().then(() => put(groupPath(group.id, group.search, "/decisions"), { decisions: changes }));
  publish(
    "sending",
    sent.catch(() => {}),
  );
  return sent.then(
    () => {
      refreshFigures();
      return true;
    },
    (error) => {
      for (const [image, decision] of before) if (members.has(image)) members.get(image).decision = decision;
      if (entry) forget(entry);
      publish("decided", group.id);
      toast(errorText(error), "wrong");
      return false;
    },
  );
}

const asChange = (image, decision) =>
  decision
    ? { image, choice: decision.choice, ...(decision.destination ? { destination: decision.destination } : {}) }
    : { image, choice: "undecided" };

// Accepts the proposal for the images that have no decision yet. What was decided before stays. The images of a large
// group that are not loaded yet are requested first. Resolves to false if nothing could be decided.
export async function acceptProposal(group) {
  if (group.scene) {
    toast(t("scenes.no_proposal"), "wrong");
    return false;
  }
  const items = group.images.next ? await everyImage(group) : group.images.items;
  const changes = completion(items, group.proposal?.image ?? items[0].id);
  if (changes === null) {
    toast(t("review.proposal_goes"), "wrong");
    return false;
  }
  return changes.length ? decide(group, changes) : true;
}

// The decisions of the proposal on images without one: the proposed and the protected ones are kept, and next to
// images of the library those that only a search knows; the others are trashed. If the proposed image was decided
// against by hand, the only image left is kept; of several, none is chosen: null.
export function completion(items, proposed) {
  const open = items.filter((image) => !isDecided(image));
  const mixed = items.some((image) => !image.temporary);
  const keeps = (image) => image.id === proposed || image.protected;
  const stays = (image) => keeps(image) || (mixed && image.temporary);
  const isKept = open.some(keeps) || items.some((image) => isDecided(image) && image.decision.choice === "keep");
  if (!isKept && open.length > 1) return null;
  return open.map((image) => ({ image: image.id, choice: stays(image) || !isKept ? "keep" : "trash" }));
}

// Keeps one image and puts all others in the trash, whatever was decided before; protected ones stay.
export async function keepOnly(group, kept) {
  const items = group.images.next ? await everyImage(group) : group.images.items;
  return decide(
    group,
    items.map((image) => ({
      image: image.id,
      choice: image.id === kept.id || image.protected ? "keep" : "trash",
    })),
  );
}

// A stale decision was made for other bytes, and does not count.
const isDecided = (image) => Boolean(image.decision && !image.decision.stale);

async function everyImage(group) {
  const items = [...group.images.items];
  for (let cursor = group.images.next; cursor;) {
    const { images } = await get(`/groups/${encodeURIComponent(group.id)}`, {
      cursor,
      limit: 200,
      search: group.search,
    });
    items.push(...images.items);
    cursor = images.next;
  }
  return items;
}

// Calls `refresh(isCurrent)` whenever decisions were made, after those of this tab were answered. What it reads is
// out of date once this tab has decided again, or once there was another change, which may be answered first: then
// `isCurrent()` is false. The next change calls again, also if a refresh fails.
export function followDecisions(refresh, signal) {
  let latest = 0;
  const follow = async () => {
    const number = ++latest;
    const answered = settled();
    await answered;
    if (signal.aborted) return;
    refreshFigures();
    await refresh(() => !signal.aborted && number === latest && settled() === answered).catch(() => {});
  };
  subscribe("decisions", follow, { signal });
}

// Copies the decisions that another tab, a rule or a program made into `group`, from the present state of the group.
// Returns whether there were any.
export function takeOver(group, current) {
  const decisions = new Map(current.images.items.map(({ id, decision }) => [id, decision]));
  let changed = false;
  for (const image of group.images.items) {
    const now = decisions.get(image.id);
    if (now === undefined || outcome(now) === outcome(image.decision)) continue;
    image.decision = now;
    changed = true;
  }
  return changed;
}

const outcome = (decision) =>
  decision ? [decision.choice, decision.destination ?? "", Boolean(decision.stale)].join(" ") : "";

// Stores a verdict: the named images, or all of the group, are not duplicates.
export async function deny(group, label, images = []) {
  await settled();
  const { batch } = await post(groupPath(group.id, group.search, "/not-duplicates"), { label, images });
  remember({ group: group.id, search: group.search, verdict: batch });
  refreshFigures();
}

// Decides on many groups at once, those that the query selects or the body names; undone together. `first` is the id
// of one of them. With `inJob` a job does it. Resolves to what was decided, null if the job was cancelled.
export async function decideMany(query, body, first, { inJob = false } = {}) {
  await settled();
  const made = inJob
    ? effectOfJob(withQuery("/decisions/jobs", query), body)
    : post(withQuery("/decisions/apply", query), body);
  const kept = made.then((effect) => {
    if (effect) remember({ group: first, search: query.search, ...undoneBy(effect) });
    refreshFigures();
    return effect;
  });
  // The next undo waits for it; a job shows its own progress, and delays nothing.
  if (!inJob)
    publish(
      "sending",
      kept.catch(() => {}),
    );
  return kept;
}

function undoneBy({ batch, clearing, order }) {
  if (batch) return { verdict: batch };
  return clearing ? { clearing } : { order };
}

// Undoes the last decision or verdict of this tab. Resolves to its group, {id, search}, null if there was none or it
// failed.
export async function undo() {
  await settled();
  const stack = undoStack();
  const last = stack.pop();
  if (!last) {
    toast(t("undo.nothing"));
    return null;
  }
  storeStack(stack);
  try {
    if (last.verdict) await remove(`/verdicts/${last.verdict}`);
    else if (last.order) await remove(`/orders/${last.order}`);
    else if (last.clearing) await remove(`/decisions/cleared/${last.clearing}`);
    else await put(groupPath(last.group, last.search, "/decisions"), { decisions: last.changes });
    toast(t("undo.done"));
    refreshFigures();
    publish("decided", last.group);
    return { id: last.group, search: last.search };
  } catch (error) {
    toast(errorText(error), "wrong");
    return null;
  }
}

// The undo stack is kept in the session of the tab: it survives a reload, and never undoes what another tab did.
const undoStack = () => JSON.parse(sessionStorage.getItem(STACK_KEY) ?? "[]");
const storeStack = (stack) => sessionStorage.setItem(STACK_KEY, JSON.stringify(stack.slice(-STACK_LENGTH)));

function remember(entry) {
  const dated = { ...entry, at: `${Date.now()} ${Math.random()}` };
  storeStack([...undoStack(), dated]);
  return dated;
}

const forget = (entry) => storeStack(undoStack().filter(({ at }) => at !== entry.at));

// Resolves when every decision so far has been answered.
export const settled = () => read("sending");

export async function loadFigures(signal) {
  const figures = await get("/review", {}, signal);
  publish("figures", figures);
  return figures;
}

export const refreshFigures = debounced((signal) => loadFigures(signal).catch(() => {}), FIGURES_MS);
