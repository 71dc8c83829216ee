// What is shown instead of an empty list of groups: why, and what to do. It follows what the service does, so that the
// progress of a first search is visible.

import { emptyState } from "../components/empty-state.js";
import { h } from "../core/dom.js";
import { read, subscribe } from "../core/store.js";
import { t } from "../core/text.js";
import { queue } from "../jobs/jobs.js";
import { endOfReview } from "./end-of-review.js";
import { DECIDED } from "./list-filters.js";

// Jobs after which there may be groups.
const FINDING = ["scan", "detect"];
const NO_FILTER = { kind: "", root: "", path: "", min: "", decided: "", since: "", until: "" };

export function emptyList(status, { filtered, change, detect, search, chosen, signal }) {
  // If every group is decided, no undecided one is left.
  if (chosen.decided === DECIDED.open && !search) return endOfReview(chosen, signal, nothingFound);
  return nothingFound();

  function nothingFound() {
    const place = h("div", {});
    let { jobs, totals, detection } = status;
    let shown = "";
    const draw = () => {
      const name = reason({ filtered, search, totals, detection, jobs });
      if (name === shown) return;
      shown = name;
      place.replaceChildren(emptyState("picture", t(`empty.${name}.title`), t(`empty.${name}.text`), actionFor(name)));
    };
    draw();
    subscribe(
      "status",
      (now) => {
        ({ totals, detection } = now);
        draw();
      },
      { signal },
    );
    subscribe(
      "progress",
      (now) => {
        ({ jobs } = now);
        draw();
      },
      { signal },
    );
    if (read("progress").jobs.length) {
      ({ jobs } = read("progress"));
      draw();
    }
    return place;
  }

  function actionFor(name) {
    if (name === "filtered") return button(t("empty.filtered.action"), () => change(NO_FILTER));
    if (name === "no_images") return button(t("action.scan"), () => queue("scan"));
    if (name === "not_searched") return button(t("action.detect"), detect, "primary");
    if (name === "no_duplicates") return button(t("empty.no_duplicates.action"), detect);
    return null;
  }
}

const button = (text, onclick, kind = "") => h("button", { class: kind, type: "button", onclick }, text);

// The name of the reason, by which its sentences are found.
function reason({ filtered, search, totals, detection, jobs }) {
  if (filtered) return "filtered";
  const busy = jobs.find(({ kind }) => FINDING.includes(kind));
  if (busy) return search || (totals.images && busy.phase !== "indexing") ? "searching" : "reading";
  if (!totals.images) return "no_images";
  return detection || search ? "no_duplicates" : "not_searched";
}
