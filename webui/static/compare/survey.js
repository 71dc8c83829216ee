// A survey: three to six pictures at once, with linked zoom and pan. A click on one chooses it.
//
//     const survey = createSurvey({ onChoose, onSwipe, tools });
//     survey.show([{ picture, label, actions, selected, matrix }, ...]);
//     survey.close();

import { h } from "../core/dom.js";
import { t } from "../core/text.js";
import { createCamera } from "./camera.js";
import { createPane } from "./pane.js";
import { columnsFor } from "./paging.js";
import { union } from "./placement.js";
import { bindPointers, GAP_PX } from "./pointers.js";
import { createZoomTools } from "./zoom-tools.js";

const PAN_STEP = 0.2;

// `onChoose` gets the place of the picture that was clicked, or drawn up over; `onSwipe` "left" or "right"; `tools`
// are nodes for the bar below the pictures.
export function createSurvey({ onChoose, onSwipe, tools = [] }) {
  const camera = createCamera();
  const stage = h("div", { class: "stage survey-stage" });
  const zooms = createZoomTools({ zoomBy: (factor) => zoomBy(factor), toggleZoom: () => toggleZoom() });
  const element = h(
    "section",
    { class: "compare survey", "aria-label": t("survey.label") },
    stage,
    h("div", { class: "compare-tools" }, tools, zooms.element),
  );
  let panes = [];
  let scene = null;
  let finest = 1;
  let frame = 0;

  function show(sides) {
    if (panes.length !== sides.length) {
      for (const pane of panes) pane.drop();
      panes = sides.map((_, place) => createPane(String(place), draw));
      stage.replaceChildren(...panes.map((pane) => pane.element));
    }
    sides.forEach((side, place) => panes[place].show(side));
    scene = panes.map((pane) => pane.extent()).reduce(union);
    finest = Math.min(...panes.map((pane) => pane.pixelSize()));
    arrange();
  }

  function close() {
    sizes.disconnect();
    for (const pane of panes) pane.drop();
  }

  const fullZoom = () => 1 / (devicePixelRatio * finest);

  function toggleZoom() {
    if (camera.fitted()) camera.zoomTo(Math.max(fullZoom(), camera.fitZoom() * 1.5));
    else camera.fit();
    draw();
  }

  function zoomBy(factor, px = 0, py = 0) {
    camera.zoomTo(camera.zoom() * factor, px, py);
    draw();
  }

  function panBy(across, down) {
    const { width, height } = camera.pane();
    camera.pan(-across * PAN_STEP * width, -down * PAN_STEP * height);
    draw();
  }

  function arrange() {
    const { width, height } = stage.getBoundingClientRect();
    if (!width || !height || !scene) return;
    const columns = columnsFor(panes.length, { width, height }, scene);
    const rows = Math.ceil(panes.length / columns);
    stage.style.setProperty("--columns", columns);
    stage.style.setProperty("--rows", rows);
    const cell = (length, n) => (length - GAP_PX * (n - 1)) / n;
    camera.set(scene, { width: cell(width, columns), height: cell(height, rows) }, finest);
    draw();
  }

  function draw() {
    if (frame || !scene) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      const sight = { x: 0, y: 0, ...camera.pane() };
      for (const pane of panes) pane.paint(camera.matrix(), sight);
      zooms.draw(camera.fitted() ? null : camera.zoom() / fullZoom());
    });
  }

  bindPointers(stage, {
    camera,
    draw,
    zoomBy,
    onTap: onChoose,
    onSwipe: (direction, place) => (direction === "up" ? onChoose(place) : onSwipe(direction)),
  });
  const sizes = new ResizeObserver(arrange);
  sizes.observe(stage);

  return { element, show, close, toggleZoom, zoomBy, panBy };
}
