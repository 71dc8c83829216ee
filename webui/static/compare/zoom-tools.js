// The buttons that zoom a comparison, with the zoom between them.

import { withKey } from "../components/keys.js";
import { h, icon } from "../core/dom.js";
import { percent, t } from "../core/text.js";

const ZOOM_STEP = 1.4;

// `zoomBy` takes a factor, `toggleZoom` nothing. Returns the element, and `draw`, which shows a zoom: 1 is one pixel of
// the finest picture for one of the screen, null that everything is in sight.
export function createZoomTools({ zoomBy, toggleZoom }) {
  const text = h("output", { "aria-label": t("compare.zoom") });
  const button = (name, label, action) =>
    h(
      "button",
      { type: "button", class: "tool square", title: label, "aria-label": label, onclick: () => action() },
      icon(name, 17),
    );
  const element = h(
    "div",
    { class: "zooms" },
    button("minus", withKey(t("compare.zoom_out"), "zoom_out"), () => zoomBy(1 / ZOOM_STEP)),
    text,
    button("plus", withKey(t("compare.zoom_in"), "zoom_in"), () => zoomBy(ZOOM_STEP)),
    button("full", withKey(t("compare.full"), "zoom"), toggleZoom),
  );
  const draw = (zoom) => {
    text.textContent = zoom === null ? t("compare.fit") : percent(zoom);
  };
  return { element, draw };
}
