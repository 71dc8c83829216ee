// The steps of a batch: what is done with each file, where it goes, and why something was refused.

import { get } from "./api.js";
import { h, icon } from "./dom.js";
import { MARK_ICONS } from "./marks.js";
import { said } from "./said.js";
import { bytes, has, number, safe, split, t } from "./text.js";

const PAGE = 100;
const ACTION_MARKS = { trash: "trash", move: "move", link: "link", create: "keep", replace: "move", restore: "keep" };

// A reason in the reader's language, else the sentence of the service.
export const refusalText = (reason, message = "") => (has(`refused.${reason}`) ? t(`refused.${reason}`) : said(message) || reason.replaceAll("_", " "));

// Fills `place` with the steps of a batch, a page at a time; `act` adds a control to a line.
export async function listSteps(place, batch, { query = {}, act = () => null, signal } = {}) {
  const list = h("ul", { class: "steps-list" });
  const further = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  let cursor = null;
  const load = async () => {
    const { steps } = await get(`/batches/${encodeURIComponent(batch)}`, { ...query, limit: PAGE, cursor }, signal);
    list.append(...steps.items.map((step) => line(step, act)));
    cursor = steps.next;
    further.hidden = !cursor;
    further.textContent = t("steps.more", { n: steps.total - list.children.length });
  };
  further.addEventListener("click", load);
  await load();
  place.replaceChildren(list.children.length ? list : h("p", { class: "quiet" }, t("steps.none")), further);
}

function line(step, act) {
  const { name, folder } = split(step.path);
  const refused = step.state === "refused" || step.state === "failed";
  const to = step.target ? t(`step.to.${has(`step.to.${step.action}`) ? step.action : "other"}`, { target: safe(step.target) }) : "";
  return h("li", { class: `step state-of-${step.state}` },
    h("span", { class: `mark mark-${ACTION_MARKS[step.action] ?? "keep"}` }, icon(MARK_ICONS[ACTION_MARKS[step.action] ?? "keep"], 14), t(`step.${step.action}`)),
    h("div", {}, h("strong", {}, name), h("small", {}, folder), to && step.action !== "trash" ? h("small", {}, to) : null,
      step.keeper ? h("small", {}, t("step.kept", { path: safe(step.keeper) })) : null,
      step.reason ? h("small", { class: refused ? "refused" : "", title: said(step.message) }, refusalText(step.reason, step.message)) : null),
    h("span", { class: "n" }, step.bytes ? bytes(step.bytes) : ""),
    act(step) ?? h("span", { class: refused ? "chip warn" : "chip" }, t(`step.state.${step.state}`)));
}

export const countsText = (counts) => Object.entries(counts ?? {}).filter(([, n]) => n > 0)
  .map(([action, n]) => t("fact.told", { name: has(`step.${action}`) ? t(`step.${action}`) : action, value: number(n) })).join(" · ");
