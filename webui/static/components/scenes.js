// Scenes: groups of other exposures, texts or colours, in which no image is a copy of another.

import { h } from "../core/dom.js";
import { number, t } from "../core/text.js";

// The tab that leads from the duplicates to the scenes and back; empty if there are none.
export function scenesTab(count, chosen, change) {
  const shown = chosen === "only";
  if (!count && !shown) return null;
  return h(
    "div",
    { class: "tabs", role: "group", "aria-label": t("scenes.title") },
    shown
      ? h(
          "button",
          { type: "button", class: "tab", "aria-pressed": "false", onclick: () => change({ scenes: "", kind: "" }) },
          t("nav.groups"),
        )
      : null,
    h(
      "button",
      {
        type: "button",
        class: "tab kind-scene",
        data: { keep: "scenes" },
        "aria-pressed": String(shown),
        title: t("scenes.help"),
        onclick: () => change({ scenes: shown ? "" : "only", kind: "" }),
      },
      t("scenes.title"),
      h("span", { class: "n" }, number(count)),
    ),
  );
}

// The explanation above a list of scenes.
export const scenesHead = (chosen) => (chosen === "only" ? h("p", { class: "quiet" }, t("scenes.explained")) : null);
