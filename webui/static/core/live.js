// Live updates: one event stream for all tabs of this browser in one language, or polling where there is no stream.

import { API, get, language } from "./api.js";
import { publish, read } from "./store.js";

const POLL_MS = 4000;
const RETRY_MS = 30000;
const TOPICS = ["status", "progress", "roots", "groups", "problems", "decisions"];

export function startLiveUpdates() {
  const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(`comparimg-${language}`) : null;
  const share = (topic, value) => {
    publishChange(topic, value);
    channel?.postMessage({ topic, value });
  };
  channel?.addEventListener("message", ({ data }) => {
    if (data.ask) {
      for (const topic of TOPICS) if (read(topic)) channel.postMessage({ topic, value: read(topic) });
    } else {
      publishChange(data.topic, data.value);
      publishChange("connection", "live");
    }
  });
  // The tab that holds the lock follows the stream for all tabs, and releases it when it is closed. There are no locks
  // where the page is neither local nor served over https.
  if (channel && navigator.locks) {
    navigator.locks.request(`comparimg-events-${language}`, () => {
      followStream(share);
      return new Promise(() => {});
    });
    channel.postMessage({ ask: true });
  } else followStream(share);
}

export async function loadRoots(signal) {
  const { items } = await get("/roots", { limit: 200 }, signal);
  publishChange("roots", { items });
  return items;
}

function publishChange(topic, value) {
  if (JSON.stringify(read(topic)) !== JSON.stringify(value)) publish(topic, value);
}

function followStream(share) {
  const source = new EventSource(`${API}/events?language=${language}`);
  let timer = 0;
  source.onopen = () => {
    publishChange("connection", "live");
    clearInterval(timer);
    timer = 0;
  };
  source.onerror = () => {
    publishChange("connection", "lost");
    // The browser reconnects unless the server refused: then poll, and try a stream again later.
    if (source.readyState !== EventSource.CLOSED) return;
    if (!timer) {
      poll(share);
      timer = setInterval(() => poll(share), POLL_MS);
    }
    setTimeout(() => {
      clearInterval(timer);
      followStream(share);
    }, RETRY_MS);
  };
  for (const topic of TOPICS) source.addEventListener(topic, (event) => share(topic, JSON.parse(event.data)));
  addEventListener("pagehide", () => source.close());
}

async function poll(share) {
  try {
    const [{ jobs, now, ...status }, roots, groups, { revision }] = await Promise.all([
      get("/status"),
      get("/roots", { limit: 200 }),
      get("/groups", { limit: 1, images: 1, sort: "date" }),
      get("/review"),
    ]);
    share("status", status);
    share("progress", { jobs });
    share("roots", { items: roots.items });
    share("groups", {
      total: groups.total,
      reclaimable_bytes: status.totals.reclaimable_bytes,
      changed: groups.items[0]?.changed ?? "",
    });
    share("decisions", { revision });
    share("problems", { total: status.totals.problems });
    publishChange("connection", "polling");
  } catch {
    publishChange("connection", "lost");
  }
}
