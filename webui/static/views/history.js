// History: every batch that was carried out, the newest first, each with the way back.

import { get } from "./api.js";
import { h, icon, show } from "./dom.js";
import { live } from "./live.js";
import { countsText } from "./steps.js";
import { subnav } from "./subnav.js";
import { bytes, moment, t } from "./text.js";

const PAGE = 50;

export async function render(main, { signal }) {
  document.title = `${t("page.history")} · ${t("app.name")}`;
  const list = h("ul", { class: "batches" });
  const further = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  let cursor = null;
  const load = async (fresh) => {
    const page = await get("/batches", { limit: PAGE, cursor: fresh ? null : cursor }, signal);
    if (fresh) list.replaceChildren();
    list.append(...page.items.map(line));
    cursor = page.next;
    further.hidden = !cursor;
    return page.total;
  };
  further.addEventListener("click", () => load(false));
  const total = await load(true);
  show(main, subnav("plan", "history"),
    h("header", { class: "page-head" }, h("div", {}, h("h1", {}, t("history.title")), h("p", { class: "quiet" }, t("history.intro")))),
    total ? h("section", { class: "panel" }, list, further)
      : h("div", { class: "empty" }, h("span", { class: "empty-picture" }, icon("history", 44)), h("h2", {}, t("history.empty.title")), h("p", {}, t("history.empty.text"))));
  let jobs = "";
  live.addEventListener("progress", ({ detail }) => {
    const now = detail.jobs.map((job) => `${job.id}${job.state}`).join();
    if (now !== jobs) { jobs = now; load(true).catch(() => {}); }
  }, { signal });
}

function line(batch) {
  return h("li", {},
    h("div", {}, h("a", { href: `/history/${batch.id}` }, t(batch.dry_run ? "batch.plan" : `batch.${batch.kind}`)), h("small", {}, moment(batch.created), batch.dry_run ? ` · ${t("batch.dry_run")}` : batch.states.undone ? ` · ${t("batch.some_undone", { n: batch.states.undone })}` : ""),
      h("small", {}, countsText(batch.counts))),
    h("span", { class: "quiet" }, batch.bytes ? bytes(batch.bytes) : ""),
    h("span", { class: `chip state-${batch.state}` }, t(`batch.state.${batch.state}`)));
}
