// The trash: what lies in it, back to its place one by one, and emptying it, which is the one thing that cannot be undone.

import { get, post } from "./api.js";
import { h, icon, show } from "./dom.js";
import { untilEnded } from "./jobs.js";
import { subnav } from "./subnav.js";
import { ago, bytes, errorText, moment, number, split, t } from "./text.js";
import { toast } from "./toast.js";

const PAGE = 100;
const AGES = [0, 30, 90, 365];

export async function render(main, { signal, go }) {
  document.title = `${t("page.trash")} · ${t("app.name")}`;
  const list = h("ul", { class: "steps-list" });
  const further = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  let cursor = null;
  const load = async () => {
    const page = await get("/trash", { limit: PAGE, cursor }, signal);
    list.append(...page.items.map((item) => line(item, signal)));
    cursor = page.next;
    further.hidden = !cursor;
    return page;
  };
  further.addEventListener("click", load);
  const page = await load();
  show(main, subnav("plan", "trash"),
    h("header", { class: "page-head" }, h("div", {}, h("h1", {}, t("page.trash")), h("p", { class: "quiet" }, t("trash.intro"))),
      page.total ? h("button", { type: "button", onclick: () => askToEmpty(page, go) }, icon("trash", 16), t("trash.empty")) : null),
    page.total ? h("section", { class: "panel" }, h("h2", {}, t("trash.holds", { n: page.total }), page.bytes ? ` · ${bytes(page.bytes)}` : ""), list, further)
      : h("div", { class: "empty" }, h("span", { class: "empty-picture" }, icon("trash", 44)), h("h2", {}, t("trash.none.title")), h("p", {}, t("trash.none.text"))));
}

function line(item, signal) {
  const { name, folder } = split(item.path);
  const restore = async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      const told = await post(`/trash/${item.id}/restore`);
      if (told?.id && told.kind) {
        const job = await untilEnded(told.id, signal);
        if (job.state !== "done") throw Object.assign(new Error(job.error), { code: "" });
      }
      button.closest("li").remove();
      toast(t("trash.restored", { name }));
    } catch (error) {
      if (error.name !== "AbortError") toast(errorText(error), "wrong");
      button.disabled = false;
    }
  };
  return h("li", {}, h("span", { class: "no-picture-small", "aria-hidden": "true" }, icon("picture", 20)),
    h("div", {}, h("strong", {}, name), h("small", {}, folder), h("small", { title: moment(item.trashed) }, ago(item.trashed))),
    h("span", { class: "n" }, bytes(item.bytes)),
    h("button", { type: "button", class: "small", "aria-label": t("trash.restore_one", { name }), onclick: restore }, icon("undo", 15), t("trash.restore")));
}

// The word has to be typed: this is the only deletion there is.
function askToEmpty(page, go) {
  const word = t("trash.word");
  const typed = h("input", { type: "text", "aria-label": t("trash.type", { word }), autocomplete: "off", spellcheck: "false" });
  const age = h("select", { "aria-label": t("trash.age") }, AGES.map((days) => h("option", { value: String(days) }, days ? t("trash.older", { n: days }) : t("trash.all"))));
  const button = h("button", { class: "danger", value: "empty", disabled: true }, t("trash.empty"));
  typed.addEventListener("input", () => { button.disabled = typed.value.trim().toLowerCase() !== word.toLowerCase(); });
  const dialog = h("dialog", { class: "sheet small-sheet", "aria-label": t("trash.empty") }, h("form", { method: "dialog" },
    h("header", {}, h("h2", {}, t("trash.empty"))), h("p", {}, t("trash.empty.text", { n: number(page.total) })), age,
    h("label", { class: "stack" }, t("trash.type", { word }), typed),
    h("footer", {}, h("button", { class: "plain-text", value: "", formnovalidate: true }, t("action.cancel")), button)));
  dialog.addEventListener("close", async () => {
    dialog.remove();
    if (dialog.returnValue !== "empty") return;
    try {
      await post("/trash/empty", { confirm: true, older_than_days: Number(age.value) });
      toast(t("trash.emptied"));
      go("/trash");
    } catch (error) {
      toast(errorText(error), "wrong");
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}
