// Problems: the files that could not be read, with reason and time.

import { emptyState } from "../components/empty-state.js";
import { reasonText } from "../components/pictures.js";
import { subnav } from "../components/subnav.js";
import { get } from "../core/api.js";
import { h, show } from "../core/dom.js";
import { subscribe } from "../core/store.js";
import { ago, moment, number, safe, split, t } from "../core/text.js";

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
    const following = await get("/problems", { ...query, cursor: next }, signal);
    next = following.next;
    list.append(...following.items.map(line));
    more.hidden = !next;
  });
  const pick = (reason) =>
    go(reason ? `/problems?${new URLSearchParams({ ...chosen, reason })}` : "/problems", { keepScroll: true });
  const reasons = Object.entries(page.reasons).sort(([, a], [, b]) => b - a);
  const tab = (reason, text, n) =>
    h(
      "button",
      {
        type: "button",
        class: "tab",
        "aria-pressed": String((chosen.reason ?? "") === reason),
        onclick: () => pick(reason),
      },
      text,
      h("span", { class: "n" }, number(n)),
    );
  show(
    main,
    subnav("library", "problems"),
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("problems.title")), h("p", { class: "quiet" }, t("problems.intro"))),
    ),
    reasons.length
      ? h(
          "div",
          { class: "tabs", role: "group", "aria-label": t("problems.by_reason") },
          tab(
            "",
            t("kind.all"),
            reasons.reduce((sum, [, n]) => sum + n, 0),
          ),
          reasons.map(([reason, n]) => tab(reason, reasonText(reason), n)),
        )
      : null,
    page.items.length
      ? h("section", { class: "panel" }, list, more)
      : emptyState("check", t("empty.no_problems.title"), t("empty.no_problems.text")),
  );
  const onProblems = ({ total }) => {
    if (chosen.reason || total === page.total || scrollY >= 200) return;
    go(location.href, { replace: true, keepScroll: true });
  };
  subscribe("problems", onProblems, { signal });
}

function line(problem) {
  const { name, folder } = split(problem.path);
  return h(
    "li",
    {},
    h("div", {}, h("strong", {}, name), h("small", { class: "where" }, folder)),
    h("div", {}, h("span", { class: "chip warn" }, reasonText(problem.reason)), h("small", {}, safe(problem.message))),
    h("time", { class: "quiet", datetime: problem.at, title: moment(problem.at) }, ago(problem.at)),
  );
}
