// The runs of rules, each of which can be revoked as a whole.

import { toast } from "../components/toast.js";
import { get, remove } from "../core/api.js";
import { h, icon } from "../core/dom.js";
import { ago, bytes, errorText, t } from "../core/text.js";
import { refreshFigures } from "../review/decisions.js";

export const loadRuns = async (signal) => (await get("/orders", { limit: 50 }, signal)).items;

// Draws the runs in a place that is hidden while there are none. `revoked` is called after one was revoked.
export function drawRuns(place, runs, revoked) {
  const revoke = async (run) => {
    try {
      await remove(`/orders/${run.id}`);
      toast(t("runs.revoked"));
      refreshFigures();
      await Promise.all([loadRuns().then((left) => drawRuns(place, left, revoked)), revoked()]);
    } catch (error) {
      toast(errorText(error), "wrong");
    }
  };
  place.hidden = !runs.length;
  place.replaceChildren(
    h("h2", {}, t("runs.title")),
    h(
      "ul",
      { class: "batches" },
      runs.map((run) =>
        h(
          "li",
          {},
          h(
            "div",
            {},
            h("strong", {}, t("runs.line", { n: run.images })),
            h("small", {}, [ago(run.created), run.bytes ? bytes(run.bytes) : ""].filter(Boolean).join(" · ")),
          ),
          h("span", { class: "quiet" }, run.open === 0 ? t("runs.carried_out") : ""),
          run.open === 0
            ? null
            : h(
                "button",
                { type: "button", class: "small", onclick: () => revoke(run) },
                icon("undo", 15),
                t("runs.revoke"),
              ),
        ),
      ),
    ),
  );
}
