// History: every batch, newest first. Each has a page, on which it can be undone.

import { emptyState } from "../components/empty-state.js";
import { subnav } from "../components/subnav.js";
import { get } from "../core/api.js";
import { h, show } from "../core/dom.js";
import { bytes, moment, t } from "../core/text.js";
import { onJobsChange } from "../jobs/jobs.js";
import { countsText, pairOfViews, pathFilter } from "../jobs/steps.js";

const PAGE = 50;
const FILTERED_FROM = 3;

export async function render(main, { signal }) {
  document.title = `${t("page.history")} · ${t("app.name")}`;
  const list = h("ul", { class: "batches history-list" });
  const more = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  const none = h("p", { class: "quiet", hidden: true }, t("steps.none"));
  let cursor = null;
  let path = "";
  const filter = pathFilter((text) => {
    path = text;
    load(true);
  });
  const load = async (fresh) => {
    const page = await get("/batches", { limit: PAGE, cursor: fresh ? null : cursor, path }, signal);
    if (fresh) list.replaceChildren();
    list.append(...page.items.map(line));
    cursor = page.next;
    more.hidden = !cursor;
    none.hidden = page.total > 0;
    return page.total;
  };
  more.addEventListener("click", () => load(false));
  const total = await load(true);
  show(
    main,
    subnav("plan", "history"),
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("history.title")), h("p", { class: "quiet" }, t("history.intro"))),
    ),
    total
      ? h("section", { class: "panel" }, total > FILTERED_FROM ? filter : null, none, list, more)
      : emptyState("history", t("history.empty.title"), t("history.empty.text")),
  );
  onJobsChange(() => load(true).catch(() => {}), signal);
}

function line(batch) {
  return h(
    "li",
    {},
    h(
      "a",
      { class: "first-views", href: `/history/${batch.id}`, tabindex: "-1", "aria-hidden": "true" },
      batch.samples.map((sample) => pairOfViews(sample.thumbnail, sample.keeper_thumbnail)),
    ),
    h(
      "div",
      {},
      h("a", { href: `/history/${batch.id}` }, t(batch.dry_run ? "batch.measurement" : `batch.${batch.kind}`)),
      h(
        "small",
        {},
        moment(batch.created),
        batch.dry_run
          ? ` · ${t("batch.dry_run")}`
          : batch.states.undone
            ? ` · ${t("batch.some_undone", { n: batch.states.undone })}`
            : "",
      ),
      h("small", {}, countsText(batch.counts)),
    ),
    h("span", { class: "quiet" }, batch.bytes ? bytes(batch.bytes) : ""),
    h("span", { class: `chip state-${batch.state}` }, t(`batch.state.${batch.state}`)),
  );
}
