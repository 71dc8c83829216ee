// Jobs: asked for, stopped, and shown while they run as a line with progress and time left on every page.

import { get, post, remove } from "./api.js";
import { h, icon } from "./dom.js";
import { live, state } from "./live.js";
import { duration, errorText, figure, has, number, percent, t } from "./text.js";
import { toast } from "./toast.js";

const SHOWN = 3;

export function phaseText(job) {
  if (job.cancel_requested) return t("phase.stopping");
  const key = `phase.${job.phase}`;
  return job.phase ? (has(key) ? t(key) : job.phase) : t("phase.starting");
}

function progressText(job) {
  const parts = [];
  if (job.total) parts.push(t("running.of", { done: number(job.done), total: number(job.total) }));
  else if (job.done) parts.push(number(job.done));
  if (job.rate) parts.push(t("running.rate", { rate: figure(job.rate) }));
  if (job.left_s) parts.push(t("running.left", { time: duration(job.left_s) }));
  return parts.join(" · ");
}

export async function cancel(job) {
  try {
    await remove(`/jobs/${job.id}`);
    toast(t("job.cancelling"));
  } catch (error) {
    toast(errorText(error), "wrong");
  }
}

export async function queue(kind, parameters = {}) {
  try {
    const job = await post("/jobs", { kind, parameters });
    toast(t(`queued.${kind}`));
    return job;
  } catch (error) {
    toast(errorText(error), "wrong");
    return null;
  }
}

function line(job) {
  const bar = h("progress", { "aria-label": t(`job.${job.kind}`) });
  const element = h("article", { class: "job-line", data: { job: job.id } },
    h("span", { class: "pulse", "aria-hidden": "true" }), h("strong", {}, t(`job.${job.kind}`)),
    h("span", { class: "phase" }), bar, h("span", { class: "figures" }),
    h("button", { class: "plain", type: "button", title: t("job.cancel"), "aria-label": t("job.cancel"),
      onclick: (event) => { event.currentTarget.disabled = true; cancel(job); } }, icon("close", 16)));
  return element;
}

function update(element, job) {
  element.querySelector(".phase").textContent = phaseText(job);
  element.querySelector(".figures").textContent = progressText(job);
  const bar = element.querySelector("progress");
  if (job.total) { bar.max = job.total; bar.value = job.done; bar.title = percent(job.done / job.total); }
  else bar.removeAttribute("value");
}

// Lines are kept while their job lives, so that a button under a finger or a focus stays where it is.
export function showRunning(place) {
  const lines = new Map();
  const waiting = h("p", { class: "waiting" });
  const draw = () => {
    const { jobs } = state.progress;
    const running = jobs.filter((job) => job.state === "running").slice(0, SHOWN);
    for (const [id, element] of lines) {
      if (!running.some((job) => job.id === id)) { element.remove(); lines.delete(id); }
    }
    for (const job of running) {
      if (!lines.has(job.id)) { lines.set(job.id, line(job)); place.append(lines.get(job.id)); }
      update(lines.get(job.id), job);
    }
    const queued = jobs.length - running.length;
    waiting.textContent = queued ? t("running.waiting", { n: queued }) : "";
    if (queued) place.append(waiting);
    else waiting.remove();
    place.hidden = !jobs.length;
  };
  live.addEventListener("progress", draw);
  draw();
}

const LOOK_MS = 700;

// Words for what a page waits for: another job, where one is at work before this.
export function waitingText(job, words) {
  const behind = job.state === "queued" && state.progress.jobs.some((other) => other.id !== job.id && other.state === "running");
  return behind ? t("job.waits") : words;
}

// The job once it has ended: looked at when its progress is told, and now and then. `look` is shown it each time.
export async function untilEnded(id, signal, look = () => {}) {
  for (;;) {
    const job = await get(`/jobs/${id}`, {}, signal);
    look(job);
    if (job.state !== "queued" && job.state !== "running") return job;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      const now = () => { clearTimeout(timer); resolve(); };
      live.addEventListener("progress", now, { once: true, signal });
      signal?.addEventListener("abort", now, { once: true });
    });
    signal?.throwIfAborted();
  }
}
