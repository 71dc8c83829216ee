// Notices of the browser: that a long job has ended, where a person allowed them and the page is not in sight.

import { get } from "../core/api.js";
import { read, subscribe } from "../core/store.js";
import { has, t } from "../core/text.js";

const SWITCH = "comparimg-notices";
const LONG_MS = 60000;

export const canNotify = () => "Notification" in globalThis && isSecureContext;
export const isDenied = () => canNotify() && Notification.permission === "denied";
export const notifies = () =>
  canNotify() && Notification.permission === "granted" && localStorage.getItem(SWITCH) === "on";

// Turns notices on or off; on, the browser asks for permission if it has to. Resolves to whether they are on.
export async function setNotifies(on) {
  if (on && (await Notification.requestPermission()) !== "granted") return false;
  localStorage.setItem(SWITCH, on ? "on" : "off");
  return on;
}

export function watchJobs() {
  let running = new Map();
  const compare = ({ jobs }) => {
    const now = new Map(jobs.filter(({ state }) => state === "running").map((job) => [job.id, job]));
    for (const [id, job] of running) {
      if (!now.has(id) && has(`notice.ended.${job.kind}`) && Date.now() - Date.parse(job.started) >= LONG_MS)
        announce(id);
    }
    running = now;
  };
  subscribe("progress", compare);
  compare(read("progress"));
}

async function announce(id) {
  if (!notifies() || document.visibilityState === "visible") return;
  const job = await get(`/jobs/${id}`).catch(() => null);
  if (job?.state !== "done" && job?.state !== "failed") return;
  const title =
    job.state === "failed" ? t("notice.failed", { name: t(`job.${job.kind}`) }) : t(`notice.ended.${job.kind}`);
  const groups = read("groups")?.total;
  const body = job.error || (job.kind === "detect" && groups !== undefined ? t("notice.groups", { n: groups }) : "");
  // Several tabs say it once: the tag is the job's.
  const options = { body, tag: `job-${id}`, icon: `${document.documentElement.dataset.base}/icon-192.png` };
  // Telephones show notices of a service worker only.
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker?.active) await worker.showNotification(title, options);
  else new Notification(title, options);
}
