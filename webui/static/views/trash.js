// The trash: what lies in it, back to its place one by one, and emptying it, which is the one thing that cannot be undone.

import { get, post } from "./api.js";
import { h, icon, show } from "./dom.js";
import { untilEnded } from "./jobs.js";
import { refusalText } from "./steps.js";
import { subnav } from "./subnav.js";
import { ago, bytes, errorText, moment, safe, split, t } from "./text.js";
import { toast } from "./toast.js";

const PAGE = 100;
const AGES = [0, 30, 90, 365];

export async function render(main, { signal, go }) {
  document.title = `${t("page.trash")} · ${t("app.name")}`;
  const list = h("ul", { class: "steps-list" });
  const further = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  const holds = h("h2");
  let [files, held] = [0, 0];
  const tell = () => holds.replaceChildren(t("trash.holds", { n: files }), held ? ` · ${bytes(held)}` : "");
  const takeOff = (item) => { files -= 1; held -= item.bytes; tell(); };
  let cursor = null;
  const load = async () => {
    const page = await get("/trash", { limit: PAGE, cursor }, signal);
    list.append(...page.items.map((item) => line(item, signal, takeOff)));
    cursor = page.next;
    further.hidden = !cursor;
    return page;
  };
  further.addEventListener("click", load);
  const page = await load();
  [files, held] = [page.total, page.bytes];
  tell();
  show(main, subnav("plan", "trash"),
    h("header", { class: "page-head" }, h("div", {}, h("h1", {}, t("page.trash")), h("p", { class: "quiet" }, t("trash.intro"))),
      page.total ? h("button", { type: "button", onclick: (event) => askToEmpty(files, event.currentTarget, signal, go) }, icon("trash", 16), t("trash.empty")) : null),
    page.total ? h("section", { class: "panel" }, holds, list, further)
      : h("div", { class: "empty" }, h("span", { class: "empty-picture" }, icon("trash", 44)), h("h2", {}, t("trash.none.title")), h("p", {}, t("trash.none.text"))));
}

function line(item, signal, takeOff) {
  const { name, folder } = split(item.path);
  const restore = async (event) => {
    const button = event.currentTarget;
    if (item.needs_confirmation && !await confirmPlace(item)) return;
    button.disabled = true;
    const words = [...button.childNodes];
    // Another job may be at work: then it waits for that.
    button.replaceChildren(t("trash.under_way"));
    try {
      const told = await post(`/trash/${item.id}/restore`, { confirm: item.needs_confirmation });
      if (told?.id && told.kind) {
        const job = await untilEnded(told.id, signal);
        if (job.state !== "done") throw Object.assign(new Error(job.error), { code: "" });
        const [refused] = Object.keys(job.outcome.refused);
        if (refused) throw Object.assign(new Error(refusalText(refused)), { code: "" });
      }
      button.closest("li").remove();
      takeOff(item);
      toast(item.needs_confirmation ? t("trash.restored_to", split(item.restore_to)) : t("trash.restored", { name }));
    } catch (error) {
      if (error.name !== "AbortError") toast(errorText(error), "wrong");
      button.replaceChildren(...words);
      button.disabled = false;
    }
  };
  return h("li", {}, h("span", { class: "no-picture-small", "aria-hidden": "true" }, icon("picture", 20)),
    h("div", {}, h("strong", {}, name), h("small", {}, folder), h("small", { title: moment(item.trashed) }, ago(item.trashed))),
    h("span", { class: "n" }, bytes(item.bytes)),
    h("button", { type: "button", class: "small", "aria-label": t("trash.restore_one", { name }), onclick: restore }, icon("undo", 15), t("trash.restore")));
}

// A place that is not known to be the file's own is confirmed by whoever sees it.
function confirmPlace(item) {
  const title = t("trash.confirm.title");
  const { folder, name } = split(item.restore_to);
  const place = h("p", { class: "where" }, folder === "/" ? `/${name}` : `${folder}/${name}`);
  const texts = item.adopted ? [h("p", {}, t("trash.confirm.adopted")), h("p", { class: "where" }, safe(item.path)), h("p", {}, t("trash.confirm.place"))] : [h("p", {}, t("trash.confirm.former"))];
  const dialog = h("dialog", { class: "sheet small-sheet", "aria-label": title }, h("form", { method: "dialog" },
    h("header", {}, h("h2", {}, title)), texts, place,
    h("footer", {}, h("button", { class: "plain-text", value: "", formnovalidate: true }, t("action.cancel")), h("button", { value: "restore" }, t("trash.confirm.do")))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "restore"); }));
}

// The word has to be typed: this is the only deletion there is. What the settings spare is spared unless said otherwise.
async function askToEmpty(files, opener, signal, go) {
  const spared = await get("/settings", { limit: 200 }, signal).then(({ items }) => items.find(({ key }) => key === "sort.retention").value, () => AGES[1]);
  const ages = [...new Set([...AGES, spared])].sort((a, b) => a - b);
  const word = t("trash.word");
  const text = h("p", { "aria-live": "polite" });
  const typed = h("input", { type: "text", "aria-label": t("trash.type", { word }), autocomplete: "off", spellcheck: "false" });
  const age = h("select", { "aria-label": t("trash.age") }, ages.map((days) => h("option", { value: String(days), selected: days === spared },
    days ? t("trash.older", { n: days }) : t("trash.all"))));
  const tell = () => text.replaceChildren(age.value === "0" ? t("trash.empty.text", { n: files }) : t("trash.empty.older", { n: Number(age.value) }));
  age.addEventListener("change", tell);
  tell();
  const button = h("button", { class: "danger", value: "empty", disabled: true }, t("trash.empty.do"));
  typed.addEventListener("input", () => { button.disabled = typed.value.trim().toLowerCase() !== word.toLowerCase(); });
  const title = t("trash.empty").replace("…", "");
  const dialog = h("dialog", { class: "sheet small-sheet", "aria-label": title }, h("form", { method: "dialog" },
    h("header", {}, h("h2", {}, title)), text, age,
    h("label", { class: "stack" }, t("trash.type", { word }), typed),
    h("footer", {}, h("button", { class: "plain-text", value: "", formnovalidate: true }, t("action.cancel")), button)));
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue === "empty") empty(Number(age.value), opener, signal, go);
  });
  document.body.append(dialog);
  dialog.showModal();
}

async function empty(olderThanDays, opener, signal, go) {
  opener.disabled = true;
  try {
    const { id } = await post("/trash/empty", { confirm: true, older_than_days: olderThanDays });
    toast(t("trash.emptying"));
    const job = await untilEnded(id, signal);
    if (job.state !== "done") throw Object.assign(new Error(job.error), { code: "" });
    const { deleted, spared } = job.outcome;
    toast([t("trash.emptied", { n: deleted }), spared ? t("trash.spared", { n: spared }) : ""].join(" ").trim());
    go("/trash", { replace: true });
  } catch (error) {
    if (error.name === "AbortError") return;
    toast(errorText(error), "wrong");
    opener.disabled = false;
  }
}
