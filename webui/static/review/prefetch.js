// The next group, requested while the current one is reviewed, so that it and its pictures are there when it is opened.

import { get } from "../core/api.js";
import { publish, read } from "../core/store.js";
import { settled } from "./decisions.js";

// An older answer is requested again.
const MAX_AGE_MS = 20000;
const PRELOADED_IMAGES = 4;
const PRELOADED_BYTES = 12e6;

const requestKey = (id, query) => id + JSON.stringify(query);

// The group, from the prefetched answer if it is recent.
export async function loadGroup(id, query, signal) {
  const prefetched = read("prefetched");
  publish("prefetched", null);
  if (prefetched?.key === requestKey(id, query) && Date.now() - prefetched.at < MAX_AGE_MS) {
    const group = await prefetched.group;
    if (group) return group;
  }
  await settled();
  return get(`/groups/${encodeURIComponent(id)}`, query, signal);
}

export function prefetchGroup(id, query, signal) {
  const group = get(`/groups/${encodeURIComponent(id)}`, query, signal).catch(() => null);
  publish("prefetched", { key: requestKey(id, query), at: Date.now(), group });
  group.then((loaded) => {
    for (const image of loaded?.images.items.slice(0, PRELOADED_IMAGES) ?? []) {
      if (image.thumbnail) new Image().src = image.thumbnail;
      if (image.format === "JPEG" && image.size_bytes < PRELOADED_BYTES) new Image().src = image.content;
    }
  });
}
