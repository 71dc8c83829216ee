// The steps of a batch: what happens to each file, its target, and the reason of a refusal.

import { view } from "../components/pictures.js";
import { get } from "../core/api.js";
import { debounced } from "../core/debounce.js";
import { h, icon } from "../core/dom.js";
import { bytes, has, number, safe, split, t } from "../core/text.js";
import { CHOICE_ICONS } from "../review/decision-chips.js";

const PAGE = 100;
const FILTERED_FROM = 8;
const FILTER_MS = 250;
const ACTION_CHOICES = { trash: "trash", move: "move", link: "link", create: "keep", replace: "move", restore: "keep" };

// The reason in the reader's language; without a text for it, the message of the service.
export const refusalText = (reason, message = "") =>
  has(`refused.${reason}`) ? t(`refused.${reason}`) : message || reason.replaceAll("_", " ");

// Fills `place` with the steps of a batch, a page at a time, and a filter by path; `act` gives a control for a step, or
// null.
export async function listSteps(place, batch, { query = {}, act = () => null, signal } = {}) {
  const list = h("ul", { class: "steps-list" });
  let path = "";
  const filter = pathFilter((text) => {
    path = text;
    cursor = null;
    list.replaceChildren();
    load();
  });
  const more = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  let cursor = null;
  const load = async () => {
    const { steps } = await get(
      `/batches/${encodeURIComponent(batch)}`,
      { ...query, path, limit: PAGE, cursor },
      signal,
    );
    list.append(...steps.items.map((step) => line(step, act)));
    cursor = steps.next;
    more.hidden = !cursor;
    more.textContent = t("steps.more", { n: steps.total - list.children.length });
  };
  more.addEventListener("click", load);
  await load();
  const isLong = list.children.length > FILTERED_FROM;
  place.replaceChildren(
    ...(list.children.length ? [isLong ? filter : "", list] : [h("p", { class: "quiet" }, t("steps.none"))]),
    more,
  );
}

// A field that calls `change` with a folder, or a part of a name.
export function pathFilter(change) {
  const changed = debounced(() => change(field.value.trim()), FILTER_MS);
  const field = h("input", {
    type: "search",
    class: "path-filter",
    placeholder: t("steps.filter"),
    "aria-label": t("steps.filter"),
    oninput: () => changed(),
  });
  return field;
}

// The picture of a file that goes, with that of the one that stays.
export function pairOfViews(thumbnail, keeper) {
  const figure = (address, kind) => h("figure", { class: kind }, address ? view(address) : icon("picture", 20));
  return h("span", { class: "views" }, figure(thumbnail, "goes"), keeper ? figure(keeper, "stays") : null);
}

function line(step, act) {
  const { name, folder } = split(step.path);
  const refused = step.state === "refused" || step.state === "failed";
  const to = step.target
    ? t(`step.to.${has(`step.to.${step.action}`) ? step.action : "other"}`, { target: safe(step.target) })
    : "";
  return h(
    "li",
    { class: `step state-of-${step.state}` },
    pairOfViews(step.thumbnail, step.keeper_thumbnail),
    h(
      "span",
      { class: `mark mark-${ACTION_CHOICES[step.action] ?? "keep"}` },
      icon(CHOICE_ICONS[ACTION_CHOICES[step.action] ?? "keep"], 14),
      t(`step.${step.action}`),
    ),
    h(
      "div",
      {},
      h("strong", {}, name),
      h("small", {}, folder),
      to && step.action !== "trash" ? h("small", {}, to) : null,
      step.keeper ? h("small", {}, t("step.kept", { path: safe(step.keeper) })) : null,
      step.reason
        ? h("small", { class: refused ? "refused" : "", title: step.message }, refusalText(step.reason, step.message))
        : null,
    ),
    h("span", { class: "n" }, step.bytes ? bytes(step.bytes) : ""),
    act(step) ?? h("span", { class: refused ? "chip warn" : "chip" }, t(`step.state.${step.state}`)),
  );
}

export const countsText = (counts) =>
  Object.entries(counts ?? {})
    .filter(([, n]) => n > 0)
    .map(([action, n]) =>
      t("fact.line", { name: has(`step.${action}`) ? t(`step.${action}`) : action, value: number(n) }),
    )
    .join(" · ");
