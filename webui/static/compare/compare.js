// A comparison of two pictures: side by side with linked zoom and pan, flicked, with a slider, or as a difference
// image.
//
//     const compare = createCompare({ onSwipe: (direction) => ... });
//     place.append(compare.element);
//     compare.show({ picture, label }, { picture, label, matrix });   // picture: the `source` of picture.js
//     compare.close();

import { withKey } from "../components/keys.js";
import { h, icon } from "../core/dom.js";
import { percent, t } from "../core/text.js";
import { createCamera } from "./camera.js";
import { difference } from "./difference.js";
import { createPane } from "./pane.js";
import { placement, union } from "./placement.js";
import { bindHandle, bindPointers, GAP_PX } from "./pointers.js";
import { createZoomTools } from "./zoom-tools.js";

export const MODES = ["side", "flick", "slider", "difference"];
const MODE_KEY = "compare-mode";
const MAX_DIFFERENCE_PIXELS = 1.2e6;
const PAN_STEP = 0.2;

// `tools` are additional nodes for the bar below the pictures.
export function createCompare({ onSwipe = () => {}, modes = MODES, tools: given = [] } = {}) {
  const camera = createCamera();
  const panes = ["a", "b"].map((side) => createPane(side, draw));
  const storedMode = localStorage.getItem(MODE_KEY);
  let mode = modes.includes(storedMode) ? storedMode : modes[0];
  let scene = null;
  let finest = 1;
  let cut = 0.5;
  let flicked = false;
  let evenTones = false;
  let isToneChosen = false;
  let frame = 0;

  const canvas = h("canvas", { class: "difference-canvas", role: "img" });
  const handle = createHandle();
  const differenceText = h("p", { class: "difference-text", "aria-live": "polite" });
  const stage = h(
    "div",
    { class: "stage" },
    canvas,
    panes.map((pane) => pane.element),
    handle,
    differenceText,
  );
  const zooms = createZoomTools({ zoomBy: (factor) => zoomBy(factor), toggleZoom: () => toggleZoom() });
  const tonesButton = h(
    "button",
    {
      type: "button",
      class: "tool",
      "aria-pressed": "false",
      // A narrow bar has no space for the text.
      "aria-label": t("compare.tones"),
      title: withKey(t("compare.tones.help"), "tones"),
      onclick: toggleTones,
    },
    icon("tones", 17),
    h("span", {}, t("compare.tones")),
  );
  const modeButtons = modes.map((name) =>
    h(
      "button",
      {
        type: "button",
        class: "tool",
        data: { modeOf: name },
        "aria-label": t(`compare.mode.${name}`),
        title: t(`compare.mode.${name}`),
        onclick: () => (name === "flick" && mode === "flick" ? flick() : setMode(name)),
      },
      icon(name, 17),
      h("span", {}, t(`compare.mode.${name}`)),
    ),
  );
  const tools = h(
    "div",
    { class: "compare-tools" },
    h("div", { class: "modes", role: "group", "aria-label": t("compare.modes") }, modeButtons),
    given,
    tonesButton,
    zooms.element,
  );
  const element = h("section", { class: "compare", "aria-label": t("compare.label") }, stage, tools);

  // Each side: picture, label and actions (nodes, both optional), whether it is selected, and the matrix from the
  // picture to the scene; without it the whole of the second picture is aligned with the whole of the first.
  function show(first, second) {
    panes[0].show({ matrix: new DOMMatrix(), ...first });
    panes[1].show({ matrix: placement(second.picture, first.picture), ...second });
    scene = union(...panes.map((pane) => pane.extent()));
    // Of the finer picture: at 100 % it is one pixel of the screen.
    finest = Math.min(...panes.map((pane) => pane.pixelSize()));
    flicked = false;
    arrange();
  }

  function close() {
    sizes.disconnect();
    for (const pane of panes) pane.drop();
  }

  // Modes

  function setMode(name) {
    mode = name;
    element.dataset.mode = mode;
    localStorage.setItem(MODE_KEY, mode);
    for (const button of modeButtons) button.setAttribute("aria-pressed", String(button.dataset.modeOf === mode));
    tonesButton.hidden = mode !== "difference";
    differenceText.textContent = "";
    arrange();
  }

  function nextMode() {
    setMode(modes[(modes.indexOf(mode) + 1) % modes.length]);
  }

  // Shows the other picture in the same place, in mode "flick".
  function flick() {
    if (mode !== "flick") setMode("flick");
    flicked = !flicked;
    draw();
  }

  function toggleTones() {
    isToneChosen = true;
    setTones(!evenTones);
  }

  // Whether changes of tone are ignored, unless the user has chosen.
  function suggestTones(even) {
    if (!isToneChosen) setTones(Boolean(even));
  }

  function setTones(even) {
    evenTones = even;
    tonesButton.setAttribute("aria-pressed", String(evenTones));
    draw();
  }

  // Zoom and pan

  const fullZoom = () => 1 / (devicePixelRatio * finest);

  function toggleZoom(px = 0, py = 0) {
    if (camera.fitted()) camera.zoomTo(Math.max(fullZoom(), camera.fitZoom() * 1.5), px, py);
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

  function setCut(share) {
    cut = Math.min(1, Math.max(0, share));
    draw();
  }

  // Drawing

  function arrange() {
    const { width, height } = stage.getBoundingClientRect();
    if (!width || !height || !scene) return;
    const split = mode === "side";
    // Side by side or one below the other, whichever shows the pictures larger.
    const stacked =
      split &&
      Math.min(width / scene.width, height / 2 / scene.height) >
        Math.min(width / 2 / scene.width, height / scene.height);
    stage.classList.toggle("stacked", stacked);
    const pane = {
      width: split && !stacked ? (width - GAP_PX) / 2 : width,
      height: stacked ? (height - GAP_PX) / 2 : height,
    };
    camera.set(scene, pane, finest);
    draw();
  }

  function draw() {
    if (frame || !scene) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      paint();
    });
  }

  function paint() {
    const toPane = camera.matrix();
    const sight = { x: 0, y: 0, ...camera.pane() };
    for (const pane of panes) pane.paint(toPane, sight);
    const clip = mode === "slider" ? `inset(0 0 0 ${100 * cut}%)` : "none";
    panes[1].element.style.setProperty("clip-path", clip);
    handle.style.setProperty("left", `${100 * cut}%`);
    handle.setAttribute("aria-valuenow", String(Math.round(100 * cut)));
    element.classList.toggle("flicked", flicked);
    stage.classList.toggle("fitted", camera.fitted());
    zooms.draw(camera.fitted() ? null : camera.zoom() / fullZoom());
    if (mode === "difference") paintDifference(toPane);
  }

  function paintDifference(toPane) {
    const pane = camera.pane();
    const scale = Math.min(devicePixelRatio, Math.sqrt(MAX_DIFFERENCE_PIXELS / (pane.width * pane.height)));
    const width = Math.max(1, Math.round(pane.width * scale));
    const height = Math.max(1, Math.round(pane.height * scale));
    const [first, second] = panes.map((pane) => {
      const picture = pane.picture();
      const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
      context.imageSmoothingQuality = "high";
      context.setTransform(new DOMMatrix().scale(scale).multiply(toPane).multiply(picture.matrix()));
      return picture.draw(context) ? context.getImageData(0, 0, width, height) : null;
    });
    if (!first || !second) return;
    const { pixels, share } = difference(first, second, evenTones);
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    const text = shareText(share);
    canvas.setAttribute("aria-label", text);
    if (differenceText.textContent !== text) differenceText.textContent = text;
  }

  bindPointers(stage, { camera, draw, zoomBy, toggleZoom, onSwipe });
  bindHandle(stage, handle, { setCut, cut: () => cut });
  setMode(mode);
  const sizes = new ResizeObserver(arrange);
  sizes.observe(stage);

  return { element, show, close, nextMode, flick, toggleTones, suggestTones, toggleZoom, zoomBy, panBy };
}

const createHandle = () =>
  h(
    "div",
    {
      class: "cut",
      role: "slider",
      tabindex: "0",
      "aria-label": t("compare.cut"),
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    },
    h("span", { "aria-hidden": "true" }, icon("left", 14), icon("right", 14)),
  );

function shareText(share) {
  if (share < 0.0005) return t("compare.no_difference");
  return t("compare.share", { share: share < 0.01 ? `< ${percent(0.01)}` : percent(share) });
}
