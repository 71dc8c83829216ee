// The trash: its files, each of which can be restored, and emptying it, which cannot be undone.

import { emptyState } from "../components/empty-state.js";
import { subnav } from "../components/subnav.js";
import { toast } from "../components/toast.js";
import { get, post } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { ago, bytes, errorText, moment, safe, split, t } from "../core/text.js";
import { untilEnded } from "../jobs/jobs.js";
import { pairOfViews, pathFilter, refusalText } from "../jobs/steps.js";

const PAGE = 100;
const FILTERED_FROM = 8;
const AGES = [0, 30, 90, 365];

export async function render(main, { signal, go }) {
  document.title = `${t("page.trash")} · ${t("app.name")}`;
  const list = h("ul", { class: "steps-list trash-list" });
  const more = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  const total = h("h2");
  let [files, held] = [0, 0];
  const drawTotal = () => total.replaceChildren(t("trash.holds", { n: files }), held ? ` · ${bytes(held)}` : "");
  const takeOff = (item) => {
    files -= 1;
    held -= item.bytes;
    drawTotal();
  };
  let cursor = null;
  let path = "";
  const filter = pathFilter((text) => {
    path = text;
    cursor = null;
    list.replaceChildren();
    load();
  });
  const load = async () => {
    const page = await get("/trash", { limit: PAGE, cursor, path }, signal);
    list.append(...page.items.map((item) => line(item, signal, takeOff)));
    cursor = page.next;
    more.hidden = !cursor;
    return page;
  };
  more.addEventListener("click", load);
  const page = await load();
  [files, held] = [page.total, page.bytes];
  drawTotal();
  show(
    main,
    subnav("plan", "trash"),
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("page.trash")), h("p", { class: "quiet" }, t("trash.intro"))),
      page.total
        ? h(
            "button",
            { type: "button", onclick: (event) => askToEmpty(files, event.currentTarget, signal, go) },
            icon("trash", 16),
            t("trash.empty"),
          )
        : null,
    ),
    page.total
      ? h("section", { class: "panel" }, total, page.total > FILTERED_FROM ? filter : null, list, more)
      : emptyState("trash", t("trash.none.title"), t("trash.none.text")),
  );
}

function line(item, signal, takeOff) {
  const { name, folder } = split(item.path);
  const restore = async (event) => {
    const button = event.currentTarget;
    if (item.needs_confirmation && !(await confirmPlace(item))) return;
    button.disabled = true;
    const label = [...button.childNodes];
    // If another job is running, this one waits for it.
    button.replaceChildren(t("trash.under_way"));
    try {
      const answer = await post(`/trash/${item.id}/restore`, { confirm: item.needs_confirmation });
      if (answer?.id && answer.kind) {
        const job = await untilEnded(answer.id, signal);
        if (job.state !== "done") throw Object.assign(new Error(job.error), { code: "" });
        const [refused] = Object.keys(job.outcome.refused);
        if (refused) throw Object.assign(new Error(refusalText(refused)), { code: "" });
      }
      button.closest("li").remove();
      takeOff(item);
      toast(item.needs_confirmation ? t("trash.restored_to", split(item.restore_to)) : t("trash.restored", { name }));
    } catch (error) {
      if (error.name !== "AbortError") toast(errorText(error), "wrong");
      button.replaceChildren(...label);
      button.disabled = false;
    }
  };
  return h(
    "li",
    {},
    pairOfViews(item.thumbnail, item.keeper_thumbnail),
    h(
      "div",
      {},
      h("strong", {}, name),
      h("small", {}, folder),
      item.keeper ? h("small", {}, t("step.kept", { path: safe(item.keeper) })) : null,
      h("small", { title: moment(item.trashed) }, ago(item.trashed)),
      item.last_copy ? h("small", {}, t("trash.last_copy")) : null,
    ),
    h("span", { class: "n" }, item.bytes ? bytes(item.bytes) : t("trash.frees_nothing")),
    h(
      "button",
      { type: "button", class: "small", "aria-label": t("trash.restore_one", { name }), onclick: restore },
      icon("undo", 15),
      t("trash.restore"),
    ),
  );
}

// A place must be confirmed unless it is certainly the file's own.
function confirmPlace(item) {
  const title = t("trash.confirm.title");
  const { folder, name } = split(item.restore_to);
  const place = h("p", { class: "where" }, folder === "/" ? `/${name}` : `${folder}/${name}`);
  const texts = item.adopted
    ? [
        h("p", {}, t("trash.confirm.adopted")),
        h("p", { class: "where" }, safe(item.path)),
        h("p", {}, t("trash.confirm.place")),
      ]
    : [h("p", {}, t("trash.confirm.former"))];
  const dialog = h(
    "dialog",
    { class: "sheet small-sheet", "aria-label": title },
    h(
      "form",
      { method: "dialog" },
      h("header", {}, h("h2", {}, title)),
      texts,
      place,
      h(
        "footer",
        {},
        h("button", { class: "plain-text", value: "", formnovalidate: true }, t("action.cancel")),
        h("button", { value: "restore" }, t("trash.confirm.do")),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "restore");
    }),
  );
}

// A word must be typed, since this is the only deletion. The age is preset to the retention time of the settings.
async function askToEmpty(files, opener, signal, go) {
  const retention = await get("/settings", { limit: 200 }, signal).then(
    ({ items }) => items.find(({ key }) => key === "sort.retention").value,
    () => AGES[1],
  );
  const ages = [...new Set([...AGES, retention])].sort((a, b) => a - b);
  const word = t("trash.word");
  const text = h("p", { "aria-live": "polite" });
  const typed = h("input", {
    type: "text",
    "aria-label": t("trash.type", { word }),
    autocomplete: "off",
    spellcheck: "false",
  });
  const age = h(
    "select",
    { "aria-label": t("trash.age") },
    ages.map((days) =>
      h(
        "option",
        { value: String(days), selected: days === retention },
        days ? t("trash.older", { n: days }) : t("trash.all"),
      ),
    ),
  );
  const drawText = () =>
    text.replaceChildren(
      age.value === "0" ? t("trash.empty.text", { n: files }) : t("trash.empty.older", { n: Number(age.value) }),
    );
  age.addEventListener("change", drawText);
  drawText();
  const button = h("button", { class: "danger", value: "empty", disabled: true }, t("trash.empty.do"));
  typed.addEventListener("input", () => {
    button.disabled = typed.value.trim().toLowerCase() !== word.toLowerCase();
  });
  const title = t("trash.empty").replace("…", "");
  const dialog = h(
    "dialog",
    { class: "sheet small-sheet", "aria-label": title },
    h(
      "form",
      { method: "dialog" },
      h("header", {}, h("h2", {}, title)),
      text,
      age,
      h("label", { class: "stack" }, t("trash.type", { word }), typed),
      h(
        "footer",
        {},
        h("button", { class: "plain-text", value: "", formnovalidate: true }, t("action.cancel")),
        button,
      ),
    ),
  );
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
    const { deleted, spared, last_copies: last } = job.outcome;
    const kept = [spared ? t("trash.spared", { n: spared }) : "", last ? t("trash.last_copies", { n: last }) : ""];
    toast([t("trash.emptied", { n: deleted }), ...kept].filter(Boolean).join(" "));
    go("/trash", { replace: true });
  } catch (error) {
    if (error.name === "AbortError") return;
    toast(errorText(error), "wrong");
    opener.disabled = false;
  }
}
