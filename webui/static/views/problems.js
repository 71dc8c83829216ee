// Problems: the files that could not be read, why, and since when.

import { get } from "./api.js";
import { h, icon, show } from "./dom.js";
import { live } from "./live.js";
import { reasonText } from "./pictures.js";
import { said } from "./said.js";
import { subnav } from "./subnav.js";
import { ago, moment, number, safe, split, t } from "./text.js";

const PAGE = 100;

export async function render(main, { signal, go }) {
  document.title = `${t("nav.problems")} · ${t("app.name")}`;
  const chosen = Object.fromEntries(new URLSearchParams(location.search));
  const query = { ...chosen, limit: PAGE };
  const page = await get("/problems", query, signal);
  const list = h("ul", { class: "problems" }, page.items.map(line));
  const more = h("button", { class: "wide", type: "button", hidden: !page.next }, t("activity.more"));
  let { next } = page;
  more.addEventListener("click", async () => {
    const further = await get("/problems", { ...query, cursor: next }, signal);
    next = further.next;
    list.append(...further.items.map(line));
    more.hidden = !next;
  });
  const pick = (reason) => go(reason ? `/problems?${new URLSearchParams({ ...chosen, reason })}` : "/problems", { keepScroll: true });
  const reasons = Object.entries(page.reasons).sort(([, a], [, b]) => b - a);
  const tab = (reason, text, n) => h("button", { type: "button", class: "tab", "aria-pressed": String((chosen.reason ?? "") === reason), onclick: () => pick(reason) },
    text, h("span", { class: "n" }, number(n)));
  show(main, subnav("library", "problems"),
    h("header", { class: "page-head" }, h("div", {}, h("h1", {}, t("problems.title")), h("p", { class: "quiet" }, t("problems.intro")))),
    reasons.length ? h("div", { class: "tabs", role: "group", "aria-label": t("problems.by_reason") },
      tab("", t("kind.all"), reasons.reduce((sum, [, n]) => sum + n, 0)), reasons.map(([reason, n]) => tab(reason, reasonText(reason), n))) : null,
    page.items.length ? h("section", { class: "panel" }, list, more)
      : h("div", { class: "empty" }, h("span", { class: "empty-picture" }, icon("check", 44)), h("h2", {}, t("empty.no_problems.title")), h("p", {}, t("empty.no_problems.text"))));
  live.addEventListener("problems", ({ detail }) => {
    if (!chosen.reason && detail.total !== page.total && scrollY < 200) go(location.href, { replace: true, keepScroll: true });
  }, { signal });
}

function line(problem) {
  const { name, folder } = split(problem.path);
  return h("li", {},
    h("div", {}, h("strong", {}, name), h("small", { class: "where" }, folder)),
    h("div", {}, h("span", { class: "chip warn" }, reasonText(problem.reason)), h("small", {}, safe(said(problem.message)))),
    h("time", { class: "quiet", datetime: problem.at, title: moment(problem.at) }, ago(problem.at)));
}
