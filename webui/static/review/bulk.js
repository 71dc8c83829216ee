// Decisions on many groups at once: their effect is shown first, and they are undone together.

import { toast } from "../components/toast.js";
import { post, withQuery } from "../core/api.js";
import { h } from "../core/dom.js";
import { bytes, errorText, number, t } from "../core/text.js";
import { effectOfJob } from "../jobs/jobs.js";
import { estimatedText, isEstimated } from "../rules/preview.js";
import { decideMany, undo } from "./decisions.js";
import { ask, askDestination, confirmed } from "./dialogs.js";

// The actions with a button, and `more`, which asks for one of the others.
export const ACTIONS = ["accept", "keep", "not_duplicates", "more"];
const OTHERS = ["move", "link", "clear"];
// A scene has no proposal.
const PROPOSED = ["accept", "move", "link"];
// The actions that move images, shown with their number and bytes.
const GOING = PROPOSED;
const COUNTING_MS = 700;

export const actionsFor = (scenes) => ACTIONS.filter((action) => !(scenes && PROPOSED.includes(action)));

// The action that is meant by `more`, null if none.
async function meant(action, scenes) {
  if (action !== "more") return action;
  const others = OTHERS.filter((other) => !(scenes && PROPOSED.includes(other)));
  return ask(
    t("bulk.more.title"),
    others.map((other) => ({ value: other, label: t(`bulk.${other}.do`), help: t(`bulk.${other}.help`) })),
  );
}

// Asks, and decides on the groups with these ids, or on all that `query` selects if there are none. `first` is
// the id of one of them. Resolves to whether anything was decided.
export async function decideAtOnce({ action: asked, query, ids, first, undone }) {
  try {
    const action = await meant(asked, query.scenes === "only");
    const destination = action === "move" ? await askDestination() : null;
    if (!action || (action === "move" && !destination)) return false;
    const body = { action, ...(destination ? { destination } : {}), ...(ids ? { groups: ids } : {}) };
    const effect = await previewed(query, body);
    if (!effect.groups) {
      toast(nothingText(action, effect), "wrong");
      return false;
    }
    if (!(await agreed(action, query, body, effect))) return false;
    const made = await decideMany(query, body, first, { inJob: effect.for_a_job });
    if (!made) {
      toast(t("bulk.cancelled"));
      return false;
    }
    const back = async () => {
      if (await undo()) undone();
    };
    toast(t(`bulk.${action}.done`, { n: made.groups }), "good", [t("action.undo"), back]);
    return true;
  } catch (error) {
    toast(errorText(error), "wrong");
    return false;
  }
}

// What would be decided. If that takes long, the page shows that it is counting.
async function previewed(query, body) {
  const timer = setTimeout(() => toast(t("bulk.counting")), COUNTING_MS);
  try {
    return await post(withQuery("/decisions/preview", query), body);
  } finally {
    clearTimeout(timer);
  }
}

// Shows what would be decided. Resolves to whether the user confirms. An estimate may be counted first.
async function agreed(action, query, body, effect) {
  const title = t(`bulk.${action}.title`);
  const others = isEstimated(effect) ? [{ value: "count", label: t("rules.count_all") }] : [];
  const answer = await confirmed(title, summary(action, effect), t(`bulk.${action}.do`), "primary", others);
  if (answer !== "count") return Boolean(answer);
  const counted = await effectOfJob(withQuery("/decisions/jobs", query), { ...body, dry_run: true });
  return Boolean(counted) && agreed(action, query, body, counted);
}

function summary(action, effect) {
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  const kinds = Object.entries(effect.kinds).map(([kind, n]) => `${number(n)} ${t(`kind.${kind}`)}`);
  return [
    h(
      "dl",
      { class: "big" },
      fact(t("rules.groups"), number(effect.groups)),
      GOING.includes(action)
        ? [
            fact(t(action === "accept" ? "rules.images.trash" : `bulk.${action}.images`), number(effect.images)),
            action === "move" ? null : fact(t("rules.bytes"), bytes(effect.bytes)),
          ]
        : null,
      action === "clear" ? fact(t("bulk.clear.images"), number(effect.images)) : null,
    ),
    h("p", { class: "quiet" }, kinds.join(" · ")),
    isEstimated(effect) ? h("p", { class: "notice" }, estimatedText(effect)) : null,
    effect.left_open
      ? h(
          "p",
          { class: "notice" },
          t(action === "link" ? "bulk.link.left_open" : "bulk.left_open", { n: effect.left_open }),
        )
      : null,
    h("p", {}, t(`bulk.${action}.text`)),
  ];
}

function nothingText(action, { left_open: open }) {
  if (action === "link" && open) return t("bulk.link.nothing");
  if (open) return t("bulk.only_open", { n: open });
  return t(action === "clear" ? "bulk.clear.nothing" : "bulk.nothing");
}
