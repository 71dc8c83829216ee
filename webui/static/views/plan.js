// The plan: a dry run of all decisions, checked file by file, and the button that applies it.

import { emptyState } from "../components/empty-state.js";
import { openHelp } from "../components/key-help.js";
import { bindKeys } from "../components/keys.js";
import { subnav } from "../components/subnav.js";
import { toast } from "../components/toast.js";
import { post, remove } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { bytes, errorText, number, split, t } from "../core/text.js";
import { untilEnded, waitingText } from "../jobs/jobs.js";
import { listSteps, refusalText } from "../jobs/steps.js";
import { loadFigures, settled } from "../review/decisions.js";
import { confirmed } from "../review/dialogs.js";

export async function render(main, { signal, go }) {
  document.title = `${t("page.plan")} · ${t("app.name")}`;
  await settled();
  const figures = await loadFigures(signal);
  const place = h("section", { class: "panel", "aria-live": "polite" });
  show(
    main,
    subnav("plan", "plan"),
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("plan.title")), h("p", { class: "quiet" }, t("plan.intro"))),
    ),
    figures.unwatched.map((folder) => watchOffer(folder, go)),
    place,
  );
  bindKeys({ back: () => go("/"), help: openHelp }, signal);
  if (figures.images_to_act) makePlan(place, signal, go);
  else if (figures.unwatched.length) place.hidden = true;
  else {
    place.replaceChildren(
      emptyState(
        "check",
        t("plan.empty.title"),
        t("plan.empty.text"),
        h("a", { class: "button primary", href: "/" }, t("nav.groups")),
      ),
    );
  }
}

// Decisions in a folder that only a search knows are in no plan until the folder is watched.
function watchOffer(folder, go) {
  const watch = async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      const { warning, remedy } = await post("/roots", { path: folder.uri, recursive: folder.recursive });
      if (warning) toast(`${warning} ${remedy}`, "wrong");
      await go("/plan", { replace: true });
    } catch (error) {
      if (error.name !== "AbortError") toast(errorText(error), "wrong");
      button.disabled = false;
    }
  };
  return h(
    "p",
    { class: "notice temporary" },
    t("plan.unwatched", { n: folder.images, path: folder.path }),
    h("button", { type: "button", class: "small", onclick: watch }, icon("folder", 16), t("root.add")),
  );
}

// The dry run makes the same checks as the job itself, and changes nothing.
async function makePlan(place, signal, go) {
  try {
    const progress = h("p", { class: "quiet" }, t("plan.checking"));
    place.replaceChildren(progress, h("progress", { "aria-label": t("plan.checking") }));
    const { id } = await post("/jobs", { kind: "sort", parameters: { dry_run: true } });
    const job = await untilEnded(id, signal, (current) => {
      progress.textContent = waitingText(current, t("plan.checking"));
    });
    if (signal.aborted) return;
    if (job.state !== "done") throw Object.assign(new Error(job.error || t("plan.stopped")), { code: "" });
    await drawPlan(place, job.outcome, signal, go);
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    place.replaceChildren(
      h("p", { class: "wrong" }, errorText(error)),
      h("button", { type: "button", onclick: () => makePlan(place, signal, go) }, icon("refresh", 16), t("plan.again")),
    );
  }
}

async function drawPlan(place, outcome, signal, go) {
  const steps = h("div", {});
  const refused = Object.entries(outcome.refused ?? {}).filter(([, n]) => n > 0);
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  const doing = ["trash", "move", "link"].filter((action) => outcome[action] > 0);
  const apply = h(
    "button",
    {
      type: "button",
      class: "primary",
      disabled: !doing.length,
      onclick: () => applyPlan(outcome, apply, signal, go),
    },
    icon("check"),
    t("plan.apply"),
  );
  place.replaceChildren(
    h(
      "div",
      { class: "panel-head" },
      h(
        "dl",
        { class: "big" },
        // Moving frees no space.
        outcome.bytes ? fact(t("plan.frees"), bytes(outcome.bytes)) : null,
        doing.map((action) => fact(t(`plan.${action}`), number(outcome[action]))),
        outcome.companions ? fact(t("plan.companions"), number(outcome.companions)) : null,
      ),
      h(
        "div",
        { class: "buttons" },
        h(
          "button",
          { type: "button", onclick: () => makePlan(place, signal, go) },
          icon("refresh", 16),
          t("plan.again"),
        ),
        apply,
      ),
    ),
    ...(refused.length
      ? [
          h(
            "p",
            { class: "notice" },
            t("plan.refused", { n: refused.reduce((sum, [, n]) => sum + n, 0) }),
            " ",
            refused.map(([reason, n]) => `${refusalText(reason)} (${number(n)})`).join(", "),
          ),
        ]
      : []),
    h("h2", {}, t("plan.steps")),
    steps,
  );
  const act = (step) => (step.state === "planned" && step.image ? leaveOut(step, place, signal, go) : null);
  if (outcome.batch) await listSteps(steps, outcome.batch, { signal, act });
}

// A button that makes the image of a step undecided. The plan is made again without it.
function leaveOut(step, place, signal, go) {
  const { name } = split(step.path);
  return h(
    "button",
    {
      type: "button",
      class: "small",
      title: t("plan.leave_out.help"),
      "aria-label": t("plan.leave_out.one", { name }),
      onclick: async (event) => {
        event.currentTarget.disabled = true;
        try {
          await remove(`/images/${step.image}/decision`);
          await makePlan(place, signal, go);
        } catch (error) {
          if (error.name !== "AbortError") toast(errorText(error), "wrong");
        }
      },
    },
    icon("close", 15),
    t("plan.leave_out"),
  );
}

const filesOf = (outcome) => ["trash", "move", "link"].reduce((sum, action) => sum + (outcome[action] ?? 0), 0);

const doneText = (outcome) =>
  outcome.bytes ? t("plan.done", { size: bytes(outcome.bytes) }) : t("plan.done.no_bytes", { n: filesOf(outcome) });

async function applyPlan(outcome, button, signal, go) {
  const text = t("plan.confirm.text", { n: filesOf(outcome) });
  if (!(await confirmed(t("plan.confirm"), text, t("plan.apply")))) return;
  button.disabled = true;
  try {
    const { id } = await post("/jobs", { kind: "sort", parameters: { dry_run: false } });
    const job = await untilEnded(id, signal);
    loadFigures().catch(() => {});
    if (job.state === "failed") toast(job.error || t("failed.title"), "wrong");
    else toast(doneText(job.outcome));
    if (!signal.aborted) go(job.outcome.batch ? `/history/${job.outcome.batch}` : "/history");
  } catch (error) {
    if (error.name !== "AbortError") toast(errorText(error), "wrong");
    button.disabled = false;
  }
}
