// One picture of a comparison: the small view at once, then all of it, then the part in sight at full resolution.

import { h } from "./dom.js";

// What every browser shows by itself, and how large it may be before it is asked for in parts.
const SHOWN = ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "AVIF"];
const MOST_PIXELS = matchMedia("(pointer: coarse)").matches ? 16e6 : 50e6;
const WHOLE_SIDE = 2048;
const PART_SIDE = 3072;
const MARGIN = 0.15;
const SETTLED_MS = 180;

// `source`: width and height upright, format, orientation, and the addresses preview, content and crop (null where there
// is none). `changed` is called whenever there is more to see.
export class Picture {
  constructor(source, matrix, changed) {
    this.source = source;
    this.matrix = matrix;
    this.changed = changed;
    this.layer = h("div", { class: "layer", style: { width: `${source.width}px`, height: `${source.height}px` } });
    this.whole = null;
    this.part = null;
    this.density = 0;
    this.gone = false;
    // The small view may come after the picture itself: then it is not needed any more.
    if (source.preview) this.#load(source.preview, (image) => { if (!this.whole) this.#show(image); });
    if (this.#direct) this.#load(source.content, (image) => this.#take(image), () => this.#takeWholeFromServer());
    else this.#takeWholeFromServer();
  }

  // An orientation is heeded by browsers in JPEG; in other formats not by all of them.
  get #direct() {
    const { width, height, format, orientation, content } = this.source;
    return content && SHOWN.includes(format) && width * height <= MOST_PIXELS
      && (orientation === 1 || format === "JPEG" || format === "MPO");
  }

  #load(address, then, otherwise = () => {}) {
    const image = new Image();
    image.decoding = "async";
    image.alt = "";
    image.draggable = false;
    image.addEventListener("load", () => { if (!this.gone) then(image); });
    image.addEventListener("error", () => { if (!this.gone) otherwise(); });
    image.src = address;
  }

  #take(image) {
    const { width, height } = this.source;
    // Shown another way round than the index knows it: the server's word counts.
    if (Math.abs(image.naturalWidth / image.naturalHeight / (width / height) - 1) > 0.02) this.#takeWholeFromServer();
    else this.#show(image);
  }

  #takeWholeFromServer() {
    const { crop, width, height } = this.source;
    if (crop) this.#load(cropAddress(crop, { x: 0, y: 0, width, height }, WHOLE_SIDE), (image) => this.#show(image));
  }

  #show(image) {
    this.density = image.naturalWidth / this.source.width;
    this.whole?.remove();
    this.whole = image;
    image.className = "whole";
    this.layer.prepend(image);
    this.changed();
  }

  // Ask for what is in sight (in the picture's own pixels) at this many device pixels for one of the picture, once the
  // view has come to rest.
  look(box, scale) {
    clearTimeout(this.timer);
    const { crop, width, height } = this.source;
    const wanted = Math.min(1, scale);
    if (!crop || !this.density || this.density >= wanted * 0.9) return;
    this.timer = setTimeout(() => {
      const x = Math.max(0, Math.floor(box.x - box.width * MARGIN));
      const y = Math.max(0, Math.floor(box.y - box.height * MARGIN));
      const part = { x, y, width: Math.min(width - x, Math.ceil(box.width * (1 + 2 * MARGIN))),
        height: Math.min(height - y, Math.ceil(box.height * (1 + 2 * MARGIN))) };
      if (part.width <= 0 || part.height <= 0 || this.#holds(box, wanted)) return;
      const side = Math.min(PART_SIDE, Math.ceil(Math.max(part.width, part.height) * wanted));
      this.#load(cropAddress(crop, part, side), (image) => this.#showPart(image, part));
    }, SETTLED_MS);
  }

  #holds(box, wanted) {
    if (!this.part || this.part.density < wanted * 0.9) return false;
    const { x, y, width, height } = this.part.box;
    return x <= Math.max(0, box.x) && y <= Math.max(0, box.y)
      && x + width >= Math.min(this.source.width, box.x + box.width) && y + height >= Math.min(this.source.height, box.y + box.height);
  }

  #showPart(image, box) {
    this.part?.image.remove();
    this.part = { image, box, density: image.naturalWidth / box.width };
    image.className = "part";
    for (const [name, value] of [["left", box.x], ["top", box.y], ["width", box.width], ["height", box.height]]) {
      image.style.setProperty(name, `${value}px`);
    }
    this.layer.append(image);
    this.changed();
  }

  draw(context) {
    if (!this.whole) return false;
    context.drawImage(this.whole, 0, 0, this.source.width, this.source.height);
    if (this.part) {
      const { x, y, width, height } = this.part.box;
      context.drawImage(this.part.image, x, y, width, height);
    }
    return true;
  }

  drop() {
    this.gone = true;
    clearTimeout(this.timer);
    this.layer.remove();
  }
}

function cropAddress(crop, { x, y, width, height }, size) {
  return `${crop}${crop.includes("?") ? "&" : "?"}${new URLSearchParams({ x, y, w: width, h: height, size: Math.max(16, size) })}`;
}
