// The state that several modules share: one value for each topic, set by publish() and nowhere else.
//
// Topics: status, progress, roots, groups, problems, decisions (from the service, see live.js); connection ("live",
// "polling" or "lost"); figures (of the review); decided (the id of the group whose decisions changed last); sending
// (the promise of the decisions under way); destinations; prefetched (the group that was requested ahead).

const values = new Map([
  ["progress", { jobs: [] }],
  ["roots", { items: [] }],
  ["sending", Promise.resolve()],
]);
const changes = new EventTarget();

// The last value of a topic, null before the first.
export const read = (topic) => values.get(topic) ?? null;

export function publish(topic, value) {
  values.set(topic, value);
  changes.dispatchEvent(new CustomEvent(topic, { detail: value }));
}

// Calls `listener` with every value from now on. `options` are those of addEventListener: { signal, once }.
export function subscribe(topic, listener, options = {}) {
  changes.addEventListener(topic, ({ detail }) => listener(detail), options);
}
