// The router: which view is at this address. Views are loaded when they are first opened.

import { h, show } from "./dom.js";
import { errorText, t } from "./text.js";

// `routes` are [pattern, section of the navigation, module loader]; the first group of the pattern becomes the view's
// `key`. Each view has render(main, {key, signal, go, goBack}): it fills `main`, and the signal aborts when it
// is left.
export function createRouter(main, routes) {
  const waitingKeys = [];
  let leaving = new AbortController();
  let loading = false;

  async function render() {
    leaving.abort();
    leaving = new AbortController();
    const { signal } = leaving;
    const [match, section, load] = routeAt(routes, location.pathname);
    markSection(section);
    if (!load) {
      showMissing(main, t("missing.title"), t("missing.address"));
      return;
    }
    loading = true;
    main.ariaBusy = "true";
    const { keep } = document.activeElement?.dataset ?? {};
    try {
      const view = await load();
      if (!signal.aborted)
        await view.render(main, { key: match[1] && decodeURIComponent(match[1]), signal, go, goBack });
      if (keep && !signal.aborted) main.querySelector(`[data-keep="${keep}"]`)?.focus({ preventScroll: true });
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      showMissing(main, t(error.status === 404 ? "missing.title" : "failed.title"), errorText(error));
    } finally {
      if (!signal.aborted) {
        loading = false;
        main.ariaBusy = "false";
        pressWaitingKeys();
      }
    }
  }

  // An entry of the history holds the address that it was opened from (`from`), how far it was scrolled when it was
  // left, and `state`. One that is replaced keeps where it came from.
  async function go(address, { replace = false, keepScroll = false, state = {} } = {}) {
    const here = location.pathname + location.search;
    if (replace) history.replaceState({ ...history.state, ...state }, "", address);
    else {
      history.replaceState({ ...history.state, scroll: scrollY }, "");
      history.pushState({ from: here, ...state }, "", address);
    }
    if (!keepScroll) scrollTo(0, 0);
    await render();
  }

  // Back to the list of groups as it was left, or to `address` where the list is not the entry before.
  function goBack(address) {
    if (/^\/(\?|$)/.test(history.state?.from ?? "")) history.back();
    else go(address);
  }

  async function onPopState() {
    await render();
    // The list of groups restores its own place.
    if (!history.state?.list) scrollTo(0, history.state?.scroll ?? 0);
  }

  // Keys pressed while a view loads are meant for it: they are held back and pressed again once it is there.
  const holdBack = (event) => {
    if (!loading || !event.isTrusted || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!/^Arrow|^Escape$|^Page|^[a-zA-Z0-9]$/.test(event.key)) return;
    if (document.activeElement?.matches("input, select, textarea")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    waitingKeys.push({ key: event.key, code: event.code, shiftKey: event.shiftKey });
  };

  function pressWaitingKeys() {
    while (!loading && waitingKeys.length) {
      dispatchEvent(new KeyboardEvent("keydown", { ...waitingKeys.shift(), cancelable: true }));
    }
  }

  function start() {
    addEventListener("keydown", holdBack, { capture: true });
    history.scrollRestoration = "manual";
    addEventListener("popstate", onPopState);
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[href]");
      if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
      if (link.origin !== location.origin || link.target || link.pathname.startsWith("/api/") || link.hash) return;
      event.preventDefault();
      go(link.href, { replace: "replace" in link.dataset }).then(() => main.focus({ preventScroll: true }));
    });
    render();
  }

  return { start, go };
}

function routeAt(routes, path) {
  for (const [pattern, section, load] of routes) {
    const match = pattern.exec(path);
    if (match) return [match, section, load];
  }
  return [[], "", null];
}

function markSection(section) {
  for (const link of document.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function showMissing(main, title, text) {
  const back = h("a", { class: "button", href: "/" }, t("missing.back"));
  show(main, h("div", { class: "empty" }, h("h1", {}, title), h("p", {}, text), h("p", {}, back)));
  main.ariaBusy = "false";
}
