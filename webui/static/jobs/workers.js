// The machines that lend their processors: who is connected, the share of each, and what it did.

import { get } from "../core/api.js";
import { h, show } from "../core/dom.js";
import { ago, moment, number, percent, safe, t } from "../core/text.js";

const EVERY_MS = 3000;
const WORKS = ["verify", "describe", "embed"];

// A panel that is brought up to date until the signal aborts; hidden where nothing is lent.
export async function workersPanel(signal) {
  const panel = h("section", { class: "panel workers", hidden: true, "aria-labelledby": "workers-title" });
  const draw = async () => {
    const report = await get("/workers", {}, signal);
    panel.hidden = !report.listen;
    if (report.listen) show(panel, contents(report));
    return report.listen;
  };
  if (await draw()) {
    const timer = setInterval(() => !document.hidden && draw().catch(() => {}), EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }
  return panel;
}

function contents(report) {
  return [
    h("h2", { id: "workers-title" }, t("workers.title")),
    h(
      "p",
      { class: "quiet" },
      t("workers.intro"),
      " ",
      report.listening ? t("workers.listening", { address: report.listen }) : null,
    ),
    report.problem ? h("p", { class: "wrong", role: "status" }, safe(report.problem)) : null,
    report.listening && !report.isolated ? h("p", { class: "quiet" }, t("workers.not_isolated")) : null,
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
            ["name", "state", "processes", "share", "done"].map((name) =>
              h("th", { scope: "col" }, t(`workers.${name}`)),
            ),
          ),
        ),
        h("tbody", {}, home(report.home), report.items.map(row)),
      ),
    ),
  ];
}

function home({ processes, share, done }) {
  return h(
    "tr",
    {},
    h("td", {}, h("strong", {}, t("workers.home"))),
    h("td", {}, h("span", { class: "chip state-done" }, t("workers.here"))),
    h("td", {}, number(processes)),
    h("td", {}, percent(share)),
    h("td", {}, doneText(done)),
  );
}

function row(worker) {
  return h(
    "tr",
    {},
    h("td", {}, h("strong", {}, safe(worker.name)), h("small", {}, safe(worker.address))),
    h(
      "td",
      {},
      worker.connected
        ? h(
            "span",
            { class: "chip state-running", title: moment(worker.since) },
            t("workers.connected", { when: ago(worker.since) }),
          )
        : h("span", { class: "chip" }, t("workers.away")),
      worker.problem ? h("small", {}, safe(worker.problem)) : null,
    ),
    h("td", {}, worker.processes ? number(worker.processes) : "–"),
    h("td", {}, percent(worker.share)),
    h(
      "td",
      {},
      doneText(worker.done),
      worker.came_home ? h("small", {}, t("workers.came_home", { n: worker.came_home })) : null,
    ),
  );
}

const doneText = (done) =>
  WORKS.filter((name) => done[name])
    .map((name) => t(`workers.done.${name}`, { n: done[name] }))
    .join(" · ") || "–";
