// Activity: past, running and queued jobs, and the schedules.

import { toast } from "../components/toast.js";
import { get, post, put, remove } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { ago, bytes, duration, errorText, has, moment, number, safe, t } from "../core/text.js";
import { openDetect } from "../jobs/detect-dialog.js";
import { cancel, onJobsChange, phaseText, queue } from "../jobs/jobs.js";
import { workersPanel } from "../jobs/workers.js";

const PAGE = 20;

export async function render(main, { signal }) {
  document.title = `${t("nav.activity")} · ${t("app.name")}`;
  const jobs = h("tbody");
  const more = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  const none = h("p", { class: "quiet", hidden: true }, t("activity.no_jobs"));
  let next = null;
  // Opening Apply only shows a plan.
  const load = (cursor) => get("/jobs", { limit: PAGE, plans: "without", ...(cursor ? { cursor } : {}) }, signal);
  const draw = async () => {
    const page = await load();
    next = page.next;
    more.hidden = !next;
    none.hidden = page.total > 0;
    jobs.replaceChildren(...page.items.map(row));
  };
  more.addEventListener("click", async () => {
    const page = await load(next);
    next = page.next;
    more.hidden = !next;
    jobs.append(...page.items.map(row));
  });
  const schedules = h("section", { class: "panel" });
  const [workers] = await Promise.all([workersPanel(signal), draw(), drawSchedules(schedules)]);
  show(
    main,
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("activity.title")), h("p", { class: "quiet" }, t("activity.intro"))),
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", onclick: () => queue("scan") }, icon("refresh"), t("action.scan")),
        h("button", { class: "primary", type: "button", onclick: openDetect }, icon("search"), t("action.detect")),
      ),
    ),
    h(
      "section",
      { class: "panel" },
      h("h2", {}, t("activity.jobs")),
      none,
      h(
        "div",
        { class: "scroll" },
        h(
          "table",
          { class: "jobs" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["kind", "state", "asked", "took", "outcome"].map((name) =>
                h("th", { scope: "col" }, t(`activity.${name}`)),
              ),
              h("td"),
            ),
          ),
          jobs,
        ),
      ),
      more,
    ),
    workers,
    schedules,
  );
  // Progress is shown above every page; the table is loaded again when a job starts or ends.
  onJobsChange(() => draw().catch(() => {}), signal);
}

function row(job) {
  const took = job.started && job.finished ? duration((new Date(job.finished) - new Date(job.started)) / 1000) : "–";
  const active = job.state === "running" || job.state === "queued";
  return h(
    "tr",
    { class: job.state },
    h("td", {}, h("strong", {}, t(`job.${job.kind}`)), h("small", {}, t(`origin.${job.origin}`))),
    h("td", {}, h("span", { class: `chip state-${job.state}` }, t(`state.${job.state}`))),
    h("td", { title: moment(job.created) }, ago(job.created)),
    h("td", {}, took),
    h(
      "td",
      { class: "outcome" },
      job.outcome.batch ? h("a", { href: `/history/${job.outcome.batch}` }, outcomeText(job)) : outcomeText(job),
    ),
    h(
      "td",
      {},
      active
        ? h(
            "button",
            { type: "button", class: "small", disabled: job.cancel_requested, onclick: () => cancel(job) },
            t("job.cancel"),
          )
        : null,
    ),
  );
}

function outcomeText(job) {
  if (job.error) return safe(job.error);
  if (job.state === "running") return phaseText(job);
  const counts = Object.entries(job.outcome)
    // Space is freed only when the decisions are applied.
    .filter(([name]) => !["rule", "decide"].includes(job.kind) || name !== "bytes")
    .filter(([name, value]) => has(`outcome.${name}`) && typeof value === "number" && value > 0)
    .map(([name, value]) =>
      t("fact.line", { name: t(`outcome.${name}`), value: name === "bytes" ? bytes(value) : number(value) }),
    );
  if (job.outcome.dry_run) counts.unshift(t("batch.dry_run"));
  return counts.join(" · ") || (job.state === "done" ? t("outcome.nothing") : "–");
}

// Schedules

async function drawSchedules(place) {
  const { items } = await get("/schedules", { limit: 200 });
  const redraw = () => drawSchedules(place).catch((error) => toast(errorText(error), "wrong"));
  place.replaceChildren(
    h("h2", {}, t("schedules.title")),
    h("p", { class: "quiet" }, t("schedules.intro")),
    ...(items.length
      ? [
          h(
            "ul",
            { class: "schedules" },
            items.map((schedule) => line(schedule, redraw)),
          ),
        ]
      : []),
    form(redraw),
  );
}

function line(schedule, redraw) {
  const change = async (changes) => {
    const { name, kind, trigger, parameters, enabled } = { ...schedule, ...changes };
    await put(`/schedules/${schedule.id}`, { name, kind, trigger, parameters, enabled }).catch((error) =>
      toast(errorText(error), "wrong"),
    );
    redraw();
  };
  return h(
    "li",
    {},
    h(
      "label",
      { class: "switch" },
      h("input", {
        type: "checkbox",
        role: "switch",
        checked: schedule.enabled,
        onchange: (event) => change({ enabled: event.target.checked }),
      }),
      h("span", { class: "sr" }, t("schedules.enabled", { name: schedule.name })),
    ),
    h(
      "div",
      {},
      h("strong", {}, safe(schedule.name)),
      h("small", {}, `${t(`job.${schedule.kind}`)} · ${triggerText(schedule.trigger)}`),
    ),
    h(
      "span",
      { class: "quiet" },
      schedule.next_run ? t("schedules.next", { when: ago(schedule.next_run) }) : t("schedules.off"),
    ),
    schedule.origin === "file"
      ? h("span", { class: "chip" }, "comparimg.toml")
      : h(
          "button",
          {
            class: "plain",
            type: "button",
            "aria-label": t("schedules.drop", { name: schedule.name }),
            title: t("schedules.drop", { name: schedule.name }),
            onclick: async () => {
              await remove(`/schedules/${schedule.id}`).catch((error) => toast(errorText(error), "wrong"));
              redraw();
            },
          },
          icon("close", 16),
        ),
  );
}

function triggerText(trigger) {
  const every = /^every (\d+)([smhd])$/.exec(trigger);
  if (every) return t(`trigger.${every[2]}`, { n: Number(every[1]) });
  const daily = /^(\d{1,2}) (\d{1,2}) \* \* \*$/.exec(trigger);
  if (daily) return t("trigger.daily", { time: `${daily[2].padStart(2, "0")}:${daily[1].padStart(2, "0")}` });
  return trigger;
}

function form(redraw) {
  const error = h("p", { class: "wrong", role: "alert" });
  const when = h(
    "select",
    { name: "when", "aria-label": t("schedules.when") },
    [
      ["0 3 * * *", t("trigger.daily", { time: "03:00" })],
      ["every 1h", t("trigger.h", { n: 1 })],
      ["every 6h", t("trigger.h", { n: 6 })],
      ["every 7d", t("trigger.d", { n: 7 })],
      ["", t("schedules.cron")],
    ].map(([value, text]) => h("option", { value }, text)),
  );
  const cron = h("input", {
    name: "trigger",
    hidden: true,
    placeholder: "30 2 * * 1-5",
    "aria-label": t("schedules.cron"),
    spellcheck: "false",
  });
  when.addEventListener("change", () => {
    cron.hidden = Boolean(when.value);
    if (!cron.hidden) cron.focus();
  });
  return h(
    "form",
    {
      class: "new-schedule",
      onsubmit: async (event) => {
        event.preventDefault();
        const data = new FormData(event.target);
        try {
          await post("/schedules", {
            name: data.get("name").trim(),
            kind: data.get("kind"),
            trigger: when.value || cron.value.trim(),
          });
          redraw();
        } catch (failure) {
          error.textContent = errorText(failure);
        }
      },
    },
    h("input", {
      name: "name",
      required: true,
      maxlength: "100",
      placeholder: t("schedules.name"),
      "aria-label": t("schedules.name"),
    }),
    h(
      "select",
      { name: "kind", "aria-label": t("activity.kind") },
      ["scan", "detect"].map((kind) => h("option", { value: kind }, t(`job.${kind}`))),
    ),
    when,
    cron,
    h("button", {}, icon("plus", 16), t("schedules.add")),
    error,
  );
}
