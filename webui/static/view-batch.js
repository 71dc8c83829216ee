// One batch: its steps as they went, and undo of one of them or of all.

import { get, post } from "./api.js";
import { h, icon, show } from "./dom.js";
import { untilEnded } from "./jobs.js";
import { confirmed } from "./review-dialogs.js";
import { countsText, listSteps } from "./steps.js";
import { said } from "./said.js";
import { subnav } from "./subnav.js";
import { bytes, errorText, moment, t } from "./text.js";
import { toast } from "./toast.js";

export async function render(main, { key, signal, go }) {
  const batch = await get(`/batches/${encodeURIComponent(key)}`, { limit: 1 }, signal);
  document.title = `${t(batch.dry_run ? "batch.plan" : `batch.${batch.kind}`)} · ${t("app.name")}`;
  const undo = async (steps, button) => {
    button.disabled = true;
    try {
      const { id } = await post(`/batches/${encodeURIComponent(key)}/undo`, steps ? { steps } : {});
      const job = await untilEnded(id, signal);
      toast(job.state === "done" ? t("batch.undone") : said(job.error) || t("failed.title"), job.state === "done" ? "good" : "wrong");
      if (!signal.aborted) go(location.href, { replace: true, keepScroll: true });
    } catch (error) {
      if (error.name !== "AbortError") toast(errorText(error), "wrong");
      button.disabled = false;
    }
  };
  const undoAll = h("button", { type: "button", onclick: async (event) => {
    const button = event.currentTarget;
    if (await confirmed(t("batch.undo.confirm"), t("batch.undo.text"), t("batch.undo_all"))) undo(null, button);
  } }, icon("undo", 16), t("batch.undo_all"));
  const steps = h("section", { class: "panel" });
  const undoable = batch.undoable > 0;
  await listSteps(steps, key, { signal, act: (step) => (undoable && step.state === "done"
    ? h("button", { type: "button", class: "small", onclick: (event) => undo([step.id], event.currentTarget) }, icon("undo", 15), t("action.undo")) : null) });
  show(main, subnav("plan", "history"),
    h("header", { class: "page-head" }, h("div", {}, h("h1", {}, t(batch.dry_run ? "batch.plan" : `batch.${batch.kind}`), " ", h("span", { class: `chip state-${batch.state}` }, t(`batch.state.${batch.state}`))),
      h("p", { class: "quiet" }, [moment(batch.created), countsText(batch.counts), batch.bytes ? bytes(batch.bytes) : ""].filter(Boolean).join(" · "))),
    undoable ? undoAll : null), steps);
}
