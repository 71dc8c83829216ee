// The service worker: it makes the page installable, and reports if the service cannot be reached.

// Over plain http, browsers have none except on localhost; private windows may refuse it.
export function registerServiceWorker() {
  navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
}
