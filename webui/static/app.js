// Boot: which view is at this address, what is running above it, and the small things every page has.

import { h, show } from "./dom.js";
import { showRunning } from "./jobs.js";
import { live, start } from "./live.js";
import { errorText, number, t } from "./text.js";

const main = document.getElementById("main");

// [pattern, name, module]; the first group of the pattern is handed to the view.
const VIEWS = [
  [/^\/$/, "groups", () => import("./view-groups.js")],
  [/^\/groups\/([^/]+)$/, "groups", () => import("./view-group.js")],
  [/^\/rules$/, "rules", () => import("./view-rules.js")],
  [/^\/plan$/, "plan", () => import("./view-plan.js")],
  [/^\/history$/, "plan", () => import("./view-history.js")],
  [/^\/history\/([^/]+)$/, "plan", () => import("./view-batch.js")],
  [/^\/trash$/, "plan", () => import("./view-trash.js")],
  [/^\/verdicts$/, "plan", () => import("./view-verdicts.js")],
  [/^\/library$/, "library", () => import("./view-library.js")],
  [/^\/compress$/, "library", () => import("./view-compress.js")],
  [/^\/folders$/, "library", () => import("./view-folders.js")],
  [/^\/activity$/, "activity", () => import("./view-activity.js")],
  [/^\/problems$/, "library", () => import("./view-problems.js")],
  [/^\/settings$/, "settings", () => import("./view-settings.js")],
  [/^\/api$/, "api", () => import("./view-api.js")],
];

let leaving = new AbortController();
let loading = false;
const keysWaiting = [];

// A view is given the place to fill and a signal that ends with it; everything it listens to goes with the signal.
async function render() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const found = VIEWS.map(([pattern, name, load]) => [pattern.exec(location.pathname), name, load]).find(([hit]) => hit);
  const [hit, name, load] = found ?? [[], "", null];
  for (const link of document.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!load) { missing(t("missing.title"), t("missing.address")); return; }
  loading = true;
  main.ariaBusy = "true";
  const { keep } = document.activeElement?.dataset ?? {};
  try {
    const view = await load();
    if (!signal.aborted) await view.render(main, { key: hit[1] && decodeURIComponent(hit[1]), signal, go });
    if (keep && !signal.aborted) main.querySelector(`[data-keep="${keep}"]`)?.focus({ preventScroll: true });
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    missing(t(error.status === 404 ? "missing.title" : "failed.title"), errorText(error));
  } finally {
    if (!signal.aborted) { loading = false; main.ariaBusy = "false"; pressWaiting(); }
  }
}

function missing(title, text) {
  show(main, h("div", { class: "empty" }, h("h1", {}, title), h("p", {}, text),
    h("p", {}, h("a", { class: "button", href: "/" }, t("missing.back")))));
  main.ariaBusy = "false";
}

// Whoever presses keys faster than views load means every one of them: they wait for their view.
addEventListener("keydown", (event) => {
  if (!loading || !event.isTrusted || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!/^Arrow|^Escape$|^Page|^[a-z0-9]$/.test(event.key) || document.activeElement?.matches("input, select, textarea")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  keysWaiting.push({ key: event.key, code: event.code, shiftKey: event.shiftKey });
}, { capture: true });

function pressWaiting() {
  while (!loading && keysWaiting.length) dispatchEvent(new KeyboardEvent("keydown", { ...keysWaiting.shift(), cancelable: true }));
}

export async function go(address, { replace = false, keepScroll = false } = {}) {
  history[replace ? "replaceState" : "pushState"]({}, "", address);
  if (!keepScroll) scrollTo(0, 0);
  await render();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (link.origin !== location.origin || link.target || link.pathname.startsWith("/api/") || link.hash) return;
  event.preventDefault();
  go(link.href).then(() => main.focus({ preventScroll: true }));
});
addEventListener("popstate", render);

document.querySelector("[data-language]").addEventListener("change", (event) => {
  document.cookie = `language=${event.target.value}; path=/; max-age=31536000; samesite=strict`;
  location.reload();
});

document.querySelector("[data-log-out]")?.addEventListener("click", async () => {
  await fetch("/logout", { method: "POST" });
  location.assign("/login");
});

const dot = document.querySelector("[data-live]");
live.addEventListener("connection", ({ detail }) => {
  dot.dataset.live = detail;
  dot.title = t(`live.${detail}`);
  dot.setAttribute("aria-label", dot.title);
});

const problems = document.querySelector("[data-count=problems]");
live.addEventListener("problems", ({ detail }) => {
  problems.hidden = !detail.total;
  problems.textContent = detail.total > 999 ? "999+" : number(detail.total);
});

showRunning(document.querySelector("[data-running]"));

start();
render();
