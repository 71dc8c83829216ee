// What happens now: one stream of events for all tabs of this browser, or asking now and then where there is none.

import { API, get } from "./api.js";

export const state = { status: null, progress: { jobs: [] }, roots: { items: [] }, groups: null, problems: null };
export const live = new EventTarget();

const POLL_MS = 4000;
const TOPICS = ["status", "progress", "roots", "groups", "problems"];
const channel = "BroadcastChannel" in window ? new BroadcastChannel("comparimg") : null;

function take(topic, value) {
  if (JSON.stringify(state[topic]) === JSON.stringify(value)) return;
  state[topic] = value;
  live.dispatchEvent(new CustomEvent(topic, { detail: value }));
}

function connection(word) {
  if (state.connection === word) return;
  state.connection = word;
  live.dispatchEvent(new CustomEvent("connection", { detail: word }));
}

function tell(topic, value) {
  take(topic, value);
  channel?.postMessage({ topic, value });
}

async function poll() {
  try {
    const [{ jobs, now, ...status }, roots, groups] = await Promise.all([
      get("/status"), get("/roots", { limit: 200 }), get("/groups", { limit: 1, images: 1, sort: "date" }),
    ]);
    tell("status", status);
    tell("progress", { jobs });
    tell("roots", { items: roots.items });
    tell("groups", { total: groups.total, reclaimable_bytes: status.totals.reclaimable_bytes,
      changed: groups.items[0]?.changed ?? "" });
    tell("problems", { total: status.totals.problems });
    connection("polling");
  } catch {
    connection("lost");
  }
}

function follow() {
  const source = new EventSource(`${API}/events`);
  let timer = 0;
  source.onopen = () => { connection("live"); clearInterval(timer); timer = 0; };
  source.onerror = () => {
    // The browser tries again by itself, unless the server said no: then we ask, and try a stream again later.
    connection("lost");
    if (source.readyState !== EventSource.CLOSED) return;
    if (!timer) { poll(); timer = setInterval(poll, POLL_MS); }
    setTimeout(() => { clearInterval(timer); follow(); }, 30000);
  };
  for (const topic of TOPICS) source.addEventListener(topic, (event) => tell(topic, JSON.parse(event.data)));
  addEventListener("pagehide", () => source.close());
}

export function start() {
  channel?.addEventListener("message", ({ data }) => {
    if (data.ask) { for (const topic of TOPICS) if (state[topic]) channel.postMessage({ topic, value: state[topic] }); }
    else { take(data.topic, data.value); connection("live"); }
  });
  // Whoever holds the lock follows for all tabs; it goes with the tab. No locks where the page is not local or https.
  if (channel && navigator.locks) {
    navigator.locks.request("comparimg-events", () => { follow(); return new Promise(() => {}); });
    channel.postMessage({ ask: true });
  } else follow();
}
