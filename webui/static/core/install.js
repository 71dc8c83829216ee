// The service worker, by which the page can be installed and says so itself when the service cannot be reached.

// Browsers have none over plain http, but on localhost; private windows may refuse it.
export function registerServiceWorker() {
  navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
}
