// The plan: every step that the decisions come to, checked file by file, and the order to carry it out.

import { get, post } from "./api.js";
import { loadFigures, settled } from "./decisions.js";
import { h, icon, show } from "./dom.js";
import { untilEnded, waitingText } from "./jobs.js";
import { bindKeys, openHelp } from "./keys.js";
import { confirmed } from "./review-dialogs.js";
import { said } from "./said.js";
import { listSteps, refusalText } from "./steps.js";
import { subnav } from "./subnav.js";
import { bytes, errorText, number, t } from "./text.js";
import { toast } from "./toast.js";

export async function render(main, { signal, go }) {
  document.title = `${t("page.plan")} · ${t("app.name")}`;
  await settled();
  const figures = await loadFigures(signal);
  const place = h("section", { class: "panel", "aria-live": "polite" });
  show(main, subnav("plan", "plan"),
    h("header", { class: "page-head" }, h("div", {}, h("h1", {}, t("plan.title")), h("p", { class: "quiet" }, t("plan.intro")))), place);
  bindKeys({ back: () => go("/"), help: openHelp }, signal);
  if (figures.images_to_act) makePlan(place, signal, go);
  else {
    place.replaceChildren(h("div", { class: "empty" }, h("span", { class: "empty-picture" }, icon("check", 44)), h("h2", {}, t("plan.empty.title")),
      h("p", {}, t("plan.empty.text")), h("a", { class: "button primary", href: "/" }, t("nav.groups"))));
  }
}

// A dry run checks every file and every keeper as the real one will, and touches none.
async function makePlan(place, signal, go) {
  try {
    const words = h("p", { class: "quiet" }, t("plan.checking"));
    place.replaceChildren(words, h("progress", { "aria-label": t("plan.checking") }));
    const { id } = await post("/jobs", { kind: "sort", parameters: { dry_run: true } });
    const job = await untilEnded(id, signal, (now) => { words.textContent = waitingText(now, t("plan.checking")); });
    if (signal.aborted) return;
    if (job.state !== "done") throw Object.assign(new Error(job.error || t("plan.stopped")), { code: "" });
    await drawPlan(place, job.outcome, signal, go);
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    place.replaceChildren(h("p", { class: "wrong" }, errorText(error)), h("button", { type: "button", onclick: () => makePlan(place, signal, go) }, icon("refresh", 16), t("plan.again")));
  }
}

async function drawPlan(place, outcome, signal, go) {
  const steps = h("div", {});
  const refused = Object.entries(outcome.refused ?? {}).filter(([, n]) => n > 0);
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  const doing = ["trash", "move", "link"].filter((action) => outcome[action] > 0);
  const apply = h("button", { type: "button", class: "primary", disabled: !doing.length, autofocus: true, onclick: () => carryOut(outcome, apply, signal, go) }, icon("check"), t("plan.apply"));
  place.replaceChildren(
    h("div", { class: "panel-head" }, h("dl", { class: "big" }, fact(t("plan.frees"), bytes(outcome.bytes ?? 0)), doing.map((action) => fact(t(`plan.${action}`), number(outcome[action]))),
      outcome.companions ? fact(t("plan.companions"), number(outcome.companions)) : null),
      h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => makePlan(place, signal, go) }, icon("refresh", 16), t("plan.again")), apply)),
    ...(refused.length ? [h("p", { class: "notice" }, t("plan.refused", { n: refused.reduce((sum, [, n]) => sum + n, 0) }), " ",
      refused.map(([reason, n]) => `${refusalText(reason)} (${number(n)})`).join(", "))] : []),
    h("h2", {}, t("plan.steps")), steps);
  if (outcome.batch) await listSteps(steps, outcome.batch, { signal });
  apply.focus();
}

async function carryOut(outcome, button, signal, go) {
  const text = t("plan.confirm.text", { n: ["trash", "move", "link"].reduce((sum, action) => sum + (outcome[action] ?? 0), 0) });
  if (!await confirmed(t("plan.confirm"), text, t("plan.apply"))) return;
  button.disabled = true;
  try {
    const { id } = await post("/jobs", { kind: "sort", parameters: { dry_run: false } });
    const job = await untilEnded(id, signal);
    loadFigures().catch(() => {});
    if (job.state === "failed") toast(said(job.error) || t("failed.title"), "wrong");
    else toast(t("plan.done", { size: bytes(job.outcome.bytes ?? 0) }));
    if (!signal.aborted) go(job.outcome.batch ? `/history/${job.outcome.batch}` : "/history");
  } catch (error) {
    if (error.name !== "AbortError") toast(errorText(error), "wrong");
    button.disabled = false;
  }
}
