// The verdicts, newest first. Each can be revoked.

import { emptyState } from "../components/empty-state.js";
import { subnav } from "../components/subnav.js";
import { toast } from "../components/toast.js";
import { get, remove } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { ago, errorText, moment, safe, split, t } from "../core/text.js";
import { refreshFigures } from "../review/decisions.js";

const PAGE = 100;

export async function render(main, { signal, go }) {
  document.title = `${t("page.verdicts")} · ${t("app.name")}`;
  const list = h("ul", { class: "batches" });
  const more = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  let cursor = null;
  const load = async () => {
    const page = await get("/verdicts", { limit: PAGE, cursor }, signal);
    list.append(...page.items.map((verdict) => line(verdict, go)));
    cursor = page.next;
    more.hidden = !cursor;
    return page.total;
  };
  more.addEventListener("click", load);
  const total = await load();
  show(
    main,
    subnav("plan", "verdicts"),
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("page.verdicts")), h("p", { class: "quiet" }, t("verdicts.intro"))),
    ),
    total
      ? h("section", { class: "panel" }, h("h2", {}, t("verdicts.pairs", { n: total })), list, more)
      : emptyState("close", t("verdicts.none.title"), t("verdicts.none.text")),
  );
}

function line(verdict, go) {
  const names = verdict.paths.map(([first, ...rest], side) =>
    first
      ? h("strong", { title: [first, ...rest].map(safe).join("\n") }, split(first).name)
      : h("strong", { title: verdict.digests[side] }, t("verdicts.no_file")),
  );
  const folders = [...new Set(verdict.paths.flatMap(([first]) => (first ? [split(first).folder] : [])))];
  return h(
    "li",
    {},
    h(
      "div",
      {},
      names[0],
      " – ",
      names[1],
      // Copies often have one name in two folders.
      folders.length ? h("small", {}, folders.join(" – ")) : null,
      h("small", { title: moment(verdict.created) }, `${t(`verdicts.${verdict.label}`)} · ${ago(verdict.created)}`),
      verdict.note ? h("small", {}, safe(verdict.note)) : null,
    ),
    h("span", {}),
    h(
      "button",
      {
        type: "button",
        class: "small",
        onclick: async (event) => {
          const button = event.currentTarget;
          button.disabled = true;
          try {
            await remove(`/verdicts/${verdict.id}`);
            toast(t("verdicts.revoked"));
            refreshFigures();
            go("/verdicts", { replace: true, keepScroll: true });
          } catch (error) {
            toast(errorText(error), "wrong");
            button.disabled = false;
          }
        },
      },
      icon("undo", 15),
      t("verdicts.revoke"),
    ),
  );
}
