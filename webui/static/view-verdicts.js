// What was said to be no duplicates, the newest first, and the way back: by what was said at once, or pair by pair.

import { get, remove } from "./api.js";
import { refreshFigures } from "./decisions.js";
import { h, icon, show } from "./dom.js";
import { subnav } from "./subnav.js";
import { ago, errorText, moment, safe, split, t } from "./text.js";
import { toast } from "./toast.js";

const PAGE = 100;

export async function render(main, { signal, go }) {
  document.title = `${t("page.verdicts")} · ${t("app.name")}`;
  const list = h("ul", { class: "batches" });
  const further = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  let cursor = null;
  const load = async () => {
    const page = await get("/verdicts", { limit: PAGE, cursor }, signal);
    list.append(...page.items.map((verdict) => line(verdict, go)));
    cursor = page.next;
    further.hidden = !cursor;
    return page.total;
  };
  further.addEventListener("click", load);
  const total = await load();
  show(main, subnav("plan", "verdicts"),
    h("header", { class: "page-head" }, h("div", {}, h("h1", {}, t("page.verdicts")), h("p", { class: "quiet" }, t("verdicts.intro")))),
    total ? h("section", { class: "panel" }, h("h2", {}, t("verdicts.pairs", { n: total })), list, further)
      : h("div", { class: "empty" }, h("span", { class: "empty-picture" }, icon("close", 44)), h("h2", {}, t("verdicts.none.title")), h("p", {}, t("verdicts.none.text"))));
}

function line(verdict, go) {
  const names = verdict.paths.map(([first, ...rest], side) => (first ? h("strong", { title: [first, ...rest].map(safe).join("\n") }, split(first).name)
    : h("strong", { title: verdict.digests[side] }, t("verdicts.no_file"))));
  return h("li", {}, h("div", {}, names[0], " – ", names[1], h("small", { title: moment(verdict.created) }, `${t(`verdicts.${verdict.label}`)} · ${ago(verdict.created)}`),
    verdict.note ? h("small", {}, safe(verdict.note)) : null), h("span", {}),
  h("button", { type: "button", class: "small", onclick: async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      await remove(`/verdicts/${verdict.id}`);
      toast(t("verdicts.taken_back"));
      refreshFigures();
      go("/verdicts", { replace: true, keepScroll: true });
    } catch (error) {
      toast(errorText(error), "wrong");
      button.disabled = false;
    }
  } }, icon("undo", 15), t("orders.take_back")));
}
