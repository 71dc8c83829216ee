// Decisions about many groups at once: what they would decide is shown first, and they are undone as one.

import { toast } from "../components/toast.js";
import { post, withQuery } from "../core/api.js";
import { h } from "../core/dom.js";
import { bytes, errorText, number, t } from "../core/text.js";
import { decideMany, undo } from "./decisions.js";
import { confirmed } from "./dialogs.js";

export const ACTIONS = ["accept", "keep", "not_duplicates"];

// Asks, and decides about the groups with these ids, or about all that `query` selects if there are none. `first` is
// the id of one of them. Resolves to whether anything was decided.
export async function decideAtOnce({ action, query, ids, first, undone }) {
  const body = { action, ...(ids ? { groups: ids } : {}) };
  try {
    const effect = await post(withQuery("/decisions/preview", query), body);
    if (!effect.groups) {
      toast(effect.left_open ? t("bulk.only_open", { n: effect.left_open }) : t("bulk.nothing"), "wrong");
      return false;
    }
    if (!(await confirmed(t(`bulk.${action}.title`), summary(action, effect), t(`bulk.${action}.do`)))) return false;
    const made = await decideMany(query, body, first);
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

function summary(action, effect) {
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  const kinds = Object.entries(effect.kinds).map(([kind, n]) => `${number(n)} ${t(`kind.${kind}`)}`);
  return [
    h(
      "dl",
      { class: "big" },
      fact(t("rules.groups"), number(effect.groups)),
      action === "accept"
        ? [fact(t("rules.images.trash"), number(effect.images)), fact(t("rules.bytes"), bytes(effect.bytes))]
        : null,
    ),
    h("p", { class: "quiet" }, kinds.join(" · ")),
    effect.left_open ? h("p", { class: "notice" }, t("bulk.left_open", { n: effect.left_open })) : null,
    h("p", {}, t(`bulk.${action}.text`)),
  ];
}
