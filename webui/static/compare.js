// Two pictures compared: side by side with linked zoom and pan, flicked, under a slider, or what differs in colour.
//
//     const compare = new Compare({ swipe: (direction) => ... });
//     place.append(compare.element);
//     compare.show({ picture, label }, { picture, label, matrix });   // picture: see compare-picture.js
//     compare.close();

import { Camera } from "./compare-camera.js";
import { difference } from "./compare-difference.js";
import { Picture } from "./compare-picture.js";
import { bounds, placement, union } from "./compare-placing.js";
import { h, icon } from "./dom.js";
import { percent, t } from "./text.js";

export const MODES = ["side", "flick", "slider", "difference"];
const MODE_ICONS = { side: "side", flick: "flick", slider: "slider", difference: "difference" };
const KEPT = "compare-mode";
const MOST_DIFFERENCE_PIXELS = 1.2e6;
const SWIPE_PX = 60;
const PAN_STEP = 0.2;
const SLIDE_STEP = 0.05;

export class Compare {
  constructor({ swipe = () => {}, modes = MODES } = {}) {
    this.swipe = swipe;
    this.modes = modes;
    this.camera = new Camera();
    this.cut = 0.5;
    this.flicked = false;
    this.evenTones = false;
    this.pointers = new Map();
    this.panes = ["a", "b"].map((side) => ({ side, picture: null, label: h("figcaption", {}), actions: h("div", { class: "pane-actions" }),
      element: h("figure", { class: `pane pane-${side}` }) }));
    for (const pane of this.panes) pane.element.append(pane.label, pane.actions);
    this.canvas = h("canvas", { class: "difference-canvas", role: "img" });
    this.handle = h("div", { class: "cut", role: "slider", tabindex: "0", "aria-label": t("compare.cut"), "aria-valuemin": "0", "aria-valuemax": "100" },
      h("span", { "aria-hidden": "true" }, icon("left", 14), icon("right", 14)));
    this.told = h("p", { class: "told", "aria-live": "polite" });
    this.stage = h("div", { class: "stage" }, this.panes.map((pane) => pane.element), this.canvas, this.handle, this.told);
    this.zoomTold = h("output", { "aria-label": t("compare.zoom") });
    this.element = h("section", { class: "compare", "aria-label": t("compare.label") }, this.stage, this.#tools());
    this.#listen();
    const kept = localStorage.getItem(KEPT);
    this.setMode(this.modes.includes(kept) ? kept : this.modes[0]);
    this.sizes = new ResizeObserver(() => this.#arrange());
    this.sizes.observe(this.stage);
  }

  // Each side: picture, label and actions (nodes, if any), and the matrix that lays it in the scene; without one the second is laid over the
  // first as it is.
  show(first, second) {
    const same = (pane, side) => pane.picture && pane.picture.source.content === side.picture.content;
    [first, second].forEach((side, place) => {
      const pane = this.panes[place];
      const matrix = side.matrix ?? (place ? placement(side.picture, first.picture) : new DOMMatrix());
      pane.label.replaceChildren(...[side.label].flat().filter(Boolean));
      pane.actions.replaceChildren(...[side.actions].flat().filter(Boolean));
      if (same(pane, side)) { pane.picture.matrix = matrix; return; }
      pane.picture?.drop();
      pane.picture = new Picture(side.picture, matrix, () => this.#draw());
      pane.element.prepend(pane.picture.layer);
    });
    const [a, b] = this.panes.map(({ picture }) => bounds(picture.matrix, { x: 0, y: 0, width: picture.source.width, height: picture.source.height }));
    this.scene = union(a, b);
    // How many pixels of the scene are one of the finer picture: 100 % shows each of those as one of the screen.
    this.finest = Math.min(...this.panes.map(({ picture }) => Math.sqrt(Math.abs(picture.matrix.a * picture.matrix.d - picture.matrix.b * picture.matrix.c))));
    this.flicked = false;
    this.#arrange();
  }

  close() {
    this.sizes.disconnect();
    for (const { picture } of this.panes) picture?.drop();
  }

  // Modes

  setMode(mode) {
    this.mode = mode;
    this.element.dataset.mode = mode;
    localStorage.setItem(KEPT, mode);
    for (const button of this.element.querySelectorAll("[data-mode-of]")) button.setAttribute("aria-pressed", String(button.dataset.modeOf === mode));
    this.evenButton.hidden = mode !== "difference";
    this.told.textContent = "";
    this.#arrange();
  }

  nextMode() {
    this.setMode(this.modes[(this.modes.indexOf(this.mode) + 1) % this.modes.length]);
    return this.mode;
  }

  // The other picture in the same place; side by side there is nothing to flick, so that becomes the mode.
  flick(to = !this.flicked) {
    if (this.mode !== "flick") this.setMode("flick");
    this.flicked = to;
    this.#draw();
  }

  toggleTones() {
    this.evenTones = !this.evenTones;
    this.evenButton.setAttribute("aria-pressed", String(this.evenTones));
    this.#draw();
  }

  // Zoom and pan

  get fullZoom() { return 1 / (devicePixelRatio * this.finest); }

  toggleZoom(px = 0, py = 0) {
    if (this.camera.fitted) this.camera.zoomTo(Math.max(this.fullZoom, this.camera.fitZoom * 1.5), px, py);
    else this.camera.fit();
    this.#draw();
  }

  zoomBy(factor, px = 0, py = 0) {
    this.camera.zoomTo(this.camera.zoom * factor, px, py);
    this.#draw();
  }

  panBy(across, down) {
    this.camera.pan(-across * PAN_STEP * this.camera.pane.width, -down * PAN_STEP * this.camera.pane.height);
    this.#draw();
  }

  // Drawing

  #arrange() {
    const { width, height } = this.stage.getBoundingClientRect();
    if (!width || !height || !this.scene) return;
    const side = this.mode === "side";
    // Beside or below each other: whichever shows the pictures larger.
    const stacked = side && Math.min(width / this.scene.width, height / 2 / this.scene.height)
      > Math.min(width / 2 / this.scene.width, height / this.scene.height);
    this.stage.classList.toggle("stacked", stacked);
    const pane = { width: side && !stacked ? (width - 2) / 2 : width, height: stacked ? (height - 2) / 2 : height };
    this.camera.set(this.scene, pane, this.finest);
    this.#draw();
  }

  #draw() {
    if (this.frame || !this.scene) return;
    this.frame = requestAnimationFrame(() => { this.frame = 0; this.#paint(); });
  }

  #paint() {
    const seen = this.camera.matrix;
    const sight = { x: 0, y: 0, ...this.camera.pane };
    for (const { picture } of this.panes) {
      if (!picture) return;
      const matrix = seen.multiply(picture.matrix);
      picture.layer.style.setProperty("transform", matrix.toString());
      const scale = Math.hypot(matrix.a, matrix.b) * devicePixelRatio;
      picture.layer.classList.toggle("pixels", scale >= 3);
      picture.look(bounds(matrix.inverse(), sight), scale);
    }
    const [, b] = this.panes;
    b.element.style.setProperty("clip-path", this.mode === "slider" ? `inset(0 0 0 ${100 * this.cut}%)` : "none");
    this.handle.style.setProperty("left", `${100 * this.cut}%`);
    this.handle.setAttribute("aria-valuenow", String(Math.round(100 * this.cut)));
    this.element.classList.toggle("flicked", this.flicked);
    this.stage.classList.toggle("fitted", this.camera.fitted);
    this.zoomTold.textContent = this.camera.fitted ? t("compare.fit") : percent(this.camera.zoom / this.fullZoom);
    if (this.mode === "difference") this.#paintDifference(seen);
  }

  #paintDifference(seen) {
    const { width, height } = this.camera.pane;
    const scale = Math.min(devicePixelRatio, Math.sqrt(MOST_DIFFERENCE_PIXELS / (width * height)));
    const [w, hh] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
    const drawn = this.panes.map(({ picture }) => {
      const canvas = new OffscreenCanvas(w, hh);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.imageSmoothingQuality = "high";
      context.setTransform(new DOMMatrix().scale(scale).multiply(seen).multiply(picture.matrix));
      return picture.draw(context) ? context.getImageData(0, 0, w, hh) : null;
    });
    if (!drawn[0] || !drawn[1]) return;
    const { pixels, share } = difference(drawn[0], drawn[1], this.evenTones);
    this.canvas.width = w;
    this.canvas.height = hh;
    this.canvas.getContext("2d").putImageData(pixels, 0, 0);
    const text = share < 0.0005 ? t("compare.no_difference") : t("compare.share", { share: share < 0.01 ? `< ${percent(0.01)}` : percent(share) });
    this.canvas.setAttribute("aria-label", text);
    if (this.told.textContent !== text) this.told.textContent = text;
  }

  // Tools

  #tools() {
    this.evenButton = h("button", { type: "button", class: "tool", "aria-pressed": "false", title: t("compare.tones.help"), onclick: () => this.toggleTones() },
      icon("tones", 17), h("span", {}, t("compare.tones")));
    const tool = (name, label, action) => h("button", { type: "button", class: "tool square", title: label, "aria-label": label, onclick: action }, icon(name, 17));
    return h("div", { class: "compare-tools" },
      h("div", { class: "modes", role: "group", "aria-label": t("compare.modes") }, this.modes.map((mode) =>
        h("button", { type: "button", class: "tool", data: { modeOf: mode }, title: t(`compare.mode.${mode}`), onclick: () => (mode === "flick" && this.mode === "flick" ? this.flick() : this.setMode(mode)) },
          icon(MODE_ICONS[mode], 17), h("span", {}, t(`compare.mode.${mode}`))))),
      this.evenButton,
      h("div", { class: "zooms" }, tool("minus", t("compare.zoom_out"), () => this.zoomBy(1 / 1.4)), this.zoomTold,
        tool("plus", t("compare.zoom_in"), () => this.zoomBy(1.4)), tool("full", t("compare.full"), () => this.toggleZoom())));
  }

  // Pointers

  #listen() {
    const { stage, handle } = this;
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      const unit = event.deltaMode ? 30 : 1;
      this.zoomBy(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0018)), ...this.#fromMiddle(event));
    }, { passive: false });
    const ours = (event) => !event.target.closest("button");
    stage.addEventListener("dblclick", (event) => { if (ours(event)) this.toggleZoom(...this.#fromMiddle(event)); });
    stage.addEventListener("pointerdown", (event) => {
      if (event.button || !ours(event)) return;
      stage.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      this.start = { x: event.clientX, y: event.clientY, alone: this.pointers.size === 1 };
    });
    stage.addEventListener("pointermove", (event) => this.#move(event));
    const end = (event) => {
      if (!this.pointers.delete(event.pointerId) || this.pointers.size || event.type === "pointercancel") return;
      const dx = event.clientX - this.start.x;
      if (event.pointerType === "touch" && this.start.alone && this.camera.fitted && Math.abs(dx) > SWIPE_PX
        && Math.abs(dx) > 2 * Math.abs(event.clientY - this.start.y)) this.swipe(dx < 0 ? "left" : "right");
    };
    stage.addEventListener("pointerup", end);
    stage.addEventListener("pointercancel", end);
    handle.addEventListener("pointerdown", (event) => { event.stopPropagation(); handle.setPointerCapture(event.pointerId); });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      event.stopPropagation();
      const { left, width } = stage.getBoundingClientRect();
      this.#setCut((event.clientX - left) / width);
    });
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -SLIDE_STEP, ArrowRight: SLIDE_STEP, Home: -1, End: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.#setCut(this.cut + step);
    });
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    this.pointers.set(event.pointerId, now);
    if (!others.length) {
      if (!this.camera.fitted) this.camera.pan(now.x - before.x, now.y - before.y);
    } else {
      const [other] = others;
      const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y);
      const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
      this.camera.zoomTo((this.camera.zoom * apart(now)) / Math.max(1, apart(before)), ...this.#fromMiddle(middle));
      this.camera.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    }
    this.#draw();
  }

  // A point of the page, from the middle of the pane it is in.
  #fromMiddle({ clientX, clientY }) {
    const { left, top } = this.stage.getBoundingClientRect();
    const { width, height } = this.camera.pane;
    const x = (clientX - left) % (width + 2);
    const y = (clientY - top) % (height + 2);
    return [x - width / 2, y - height / 2];
  }

  #setCut(cut) {
    this.cut = Math.min(1, Math.max(0, cut));
    this.#draw();
  }
}
