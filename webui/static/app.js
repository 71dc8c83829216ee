// Start: the router with its routes, the line of running jobs, and what the bar of every page has.

import { registerServiceWorker } from "./core/install.js";
import { startLiveUpdates } from "./core/live.js";
import { createRouter } from "./core/router.js";
import { subscribe } from "./core/store.js";
import { number, t } from "./core/text.js";
import { setTheme } from "./core/theme.js";
import { watchJobs } from "./jobs/browser-notices.js";
import { showRunning } from "./jobs/jobs.js";

const ROUTES = [
  [/^\/$/, "groups", () => import("./views/groups.js")],
  [/^\/groups\/([^/]+)$/, "groups", () => import("./views/group.js")],
  [/^\/end$/, "groups", () => import("./views/end.js")],
  [/^\/rules$/, "rules", () => import("./views/rules.js")],
  [/^\/plan$/, "plan", () => import("./views/plan.js")],
  [/^\/history$/, "plan", () => import("./views/history.js")],
  [/^\/history\/([^/]+)$/, "plan", () => import("./views/batch.js")],
  [/^\/trash$/, "plan", () => import("./views/trash.js")],
  [/^\/verdicts$/, "plan", () => import("./views/verdicts.js")],
  [/^\/library$/, "library", () => import("./views/library.js")],
  [/^\/compress$/, "library", () => import("./views/compress.js")],
  [/^\/folders$/, "library", () => import("./views/folders.js")],
  [/^\/activity$/, "activity", () => import("./views/activity.js")],
  [/^\/problems$/, "library", () => import("./views/problems.js")],
  [/^\/settings$/, "settings", () => import("./views/settings.js")],
  [/^\/api$/, "api", () => import("./views/rest-api.js")],
];

function bindBar() {
  document.querySelector("[data-language]").addEventListener("change", (event) => {
    const chosen = `language=${event.target.value}`;
    document.cookie = `${chosen}; path=/; max-age=31536000; samesite=strict`;
    // Newer browsers store a cookie after the assignment: reading it waits for that, so that the reload sends it.
    if (document.cookie.includes(chosen)) location.reload();
  });
  document.querySelector("[data-theme-switch]").addEventListener("change", (event) => {
    setTheme(event.target.value);
  });
  document.querySelector("[data-log-out]")?.addEventListener("click", async () => {
    await fetch("/logout", { method: "POST" });
    location.assign("/login");
  });
  const dot = document.querySelector("[data-live]");
  subscribe("connection", (connection) => {
    dot.dataset.live = connection;
    dot.title = t(`live.${connection}`);
    dot.setAttribute("aria-label", dot.title);
  });
  const problems = document.querySelector("[data-count=problems]");
  subscribe("problems", ({ total }) => {
    problems.hidden = !total;
    problems.textContent = total > 999 ? "999+" : number(total);
  });
}

bindBar();
showRunning(document.querySelector("[data-running]"));
startLiveUpdates();
watchJobs();
createRouter(document.getElementById("main"), ROUTES).start();
registerServiceWorker();
