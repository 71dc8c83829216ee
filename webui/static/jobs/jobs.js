// Jobs: to queue, cancel and await them, and the lines that show running ones on every page.

import { toast } from "../components/toast.js";
import { get, post, remove } from "../core/api.js";
import { h, icon } from "../core/dom.js";
import { read, subscribe } from "../core/store.js";
import { duration, errorText, figure, has, number, percent, t } from "../core/text.js";

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
  // Of what takes longer than a second each, the time left says enough.
  if (job.rate >= 1) parts.push(t("running.rate", { rate: figure(job.rate) }));
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
  const element = h(
    "article",
    { class: "job-line", data: { job: job.id } },
    h("span", { class: "pulse", "aria-hidden": "true" }),
    h("strong", {}, t(`job.${job.kind}`)),
    h("span", { class: "phase" }),
    bar,
    h("span", { class: "figures" }),
    h(
      "button",
      {
        class: "plain",
        type: "button",
        title: t("job.cancel"),
        "aria-label": t("job.cancel"),
        onclick: (event) => {
          event.currentTarget.disabled = true;
          cancel(job);
        },
      },
      icon("close", 16),
    ),
  );
  return element;
}

function update(element, job) {
  element.querySelector(".phase").textContent = phaseText(job);
  element.querySelector(".figures").textContent = progressText(job);
  const bar = element.querySelector("progress");
  if (job.total) {
    bar.max = job.total;
    bar.value = job.done;
    bar.title = percent(job.done / job.total);
  } else bar.removeAttribute("value");
}

// A line is kept as long as its job runs, so that a focused or pressed button stays in place.
export function showRunning(place) {
  const lines = new Map();
  const waiting = h("p", { class: "waiting" });
  const draw = () => {
    const { jobs } = read("progress");
    const running = jobs.filter((job) => job.state === "running").slice(0, SHOWN);
    for (const [id, element] of lines) {
      if (!running.some((job) => job.id === id)) {
        element.remove();
        lines.delete(id);
      }
    }
    for (const job of running) {
      if (!lines.has(job.id)) {
        lines.set(job.id, line(job));
        place.append(lines.get(job.id));
      }
      update(lines.get(job.id), job);
    }
    const queued = jobs.length - running.length;
    waiting.textContent = queued ? t("running.waiting", { n: queued }) : "";
    if (queued) place.append(waiting);
    else waiting.remove();
    place.hidden = !jobs.length;
  };
  subscribe("progress", draw);
  draw();
}

// Calls `listener` when a job is queued, starts or ends, but not on mere progress.
export function onJobsChange(listener, signal) {
  let before = "";
  const compare = ({ jobs }) => {
    const states = jobs.map((job) => `${job.id}${job.state}`).join();
    if (states === before) return;
    before = states;
    listener();
  };
  subscribe("progress", compare, { signal });
}

const POLL_MS = 700;

// What a page shows while it waits for a job: `text`, or that another job runs before it.
export function waitingText(job, text) {
  const waits =
    job.state === "queued" && read("progress").jobs.some((other) => other.id !== job.id && other.state === "running");
  return waits ? t("job.waits") : text;
}

// Resolves to the job once it has ended. It is read again whenever progress is published, at the latest after POLL_MS;
// `onProgress` is called with each state.
export async function untilEnded(id, signal, onProgress = () => {}) {
  for (;;) {
    const job = await get(`/jobs/${id}`, {}, signal);
    onProgress(job);
    if (job.state !== "queued" && job.state !== "running") return job;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      const proceed = () => {
        clearTimeout(timer);
        resolve();
      };
      subscribe("progress", proceed, { once: true, signal });
      signal?.addEventListener("abort", proceed, { once: true });
    });
    signal?.throwIfAborted();
  }
}

// What a job of this address decides or counts; null where it was cancelled. Its progress is shown above every page.
export async function effectOfJob(address, body, signal) {
  const job = await untilEnded((await post(address, body)).id, signal);
  if (job.state === "failed") throw Object.assign(new Error(job.error), { code: "" });
  return job.state === "done" ? job.outcome : null;
}
