// One batch: its steps with their outcome. One step or all of them can be undone.

import { subnav } from "../components/subnav.js";
import { toast } from "../components/toast.js";
import { get, post } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { bytes, errorText, moment, t } from "../core/text.js";
import { untilEnded } from "../jobs/jobs.js";
import { countsText, listSteps } from "../jobs/steps.js";
import { ask, confirmed } from "../review/dialogs.js";

export async function render(main, { key, signal, go }) {
  const batch = await get(`/batches/${encodeURIComponent(key)}`, { limit: 1 }, signal);
  document.title = `${t(batch.dry_run ? "batch.measurement" : `batch.${batch.kind}`)} · ${t("app.name")}`;
  const undo = async (given, button) => {
    button.disabled = true;
    try {
      const { id } = await post(`/batches/${encodeURIComponent(key)}/undo`, given);
      const job = await untilEnded(id, signal);
      toast(
        job.state === "done" ? t("batch.undone") : job.error || t("failed.title"),
        job.state === "done" ? "good" : "wrong",
      );
      if (!signal.aborted) go(location.href, { replace: true, keepScroll: true });
    } catch (error) {
      if (error.name !== "AbortError") toast(errorText(error), "wrong");
      button.disabled = false;
    }
  };
  const undoAll = h(
    "button",
    {
      type: "button",
      onclick: async (event) => {
        const button = event.currentTarget;
        const given = batch.kind === "sort" ? await askUndo() : (await confirmUndo()) && {};
        if (given) undo(given, button);
      },
    },
    icon("undo", 16),
    t("batch.undo_all"),
  );
  const steps = h("section", { class: "panel" });
  const undoable = batch.undoable > 0;
  await listSteps(steps, key, {
    signal,
    act: (step) =>
      undoable && step.state === "done"
        ? h(
            "button",
            { type: "button", class: "small", onclick: (event) => undo({ steps: [step.id] }, event.currentTarget) },
            icon("undo", 15),
            t("action.undo"),
          )
        : null,
  });
  show(
    main,
    subnav("plan", "history"),
    h(
      "header",
      { class: "page-head" },
      h(
        "div",
        {},
        h(
          "h1",
          {},
          t(batch.dry_run ? "batch.measurement" : `batch.${batch.kind}`),
          " ",
          h("span", { class: `chip state-${batch.state}` }, t(`batch.state.${batch.state}`)),
        ),
        h(
          "p",
          { class: "quiet" },
          [moment(batch.created), countsText(batch.counts), batch.bytes ? bytes(batch.bytes) : ""]
            .filter(Boolean)
            .join(" · "),
        ),
      ),
      undoable ? undoAll : null,
    ),
    steps,
  );
}

const confirmUndo = () => confirmed(t("batch.undo.confirm"), t("batch.undo.text"), t("batch.undo_all"));

// What happens to the decisions when a sort is undone: the fields of the request, null if cancelled.
const askUndo = () =>
  ask(t("batch.undo.confirm"), [
    { value: { decide_again: false }, label: t("batch.undo.decided"), help: t("batch.undo.decided.help") },
    { value: { decide_again: true }, label: t("batch.undo.again"), help: t("batch.undo.again.help") },
  ]);
