// One picture of a comparison: its preview at first, then the whole picture, then the part in sight at full resolution.

import { h } from "../core/dom.js";

// The formats that every browser decodes, and the size above which crops are requested instead of the file.
const BROWSER_FORMATS = ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "AVIF"];
const MAX_PIXELS = matchMedia("(pointer: coarse)").matches ? 16e6 : 50e6;
const WHOLE_SIDE = 2048;
const PART_SIDE = 3072;
const MARGIN = 0.15;
const SETTLED_MS = 180;

// `source`: width and height (upright), format, orientation, and the addresses preview, content and crop (each may be
// null). `matrix` leads from its pixels to the scene. `changed` is called whenever there is more to see.
export function createPicture(source, matrix, changed) {
  const { width, height, format, orientation, crop } = source;
  const layer = h("div", { class: "layer", style: { width: `${width}px`, height: `${height}px` } });
  let placed = matrix;
  let whole = null;
  let part = null;
  let density = 0;
  let timer = 0;
  let dropped = false;

  // Browsers apply an orientation in JPEG; in other formats not all of them do.
  const isDirect = () =>
    source.content &&
    BROWSER_FORMATS.includes(format) &&
    width * height <= MAX_PIXELS &&
    (orientation === 1 || format === "JPEG" || format === "MPO");

  function load(address, onLoad, onError = () => {}) {
    const image = new Image();
    image.decoding = "async";
    image.alt = "";
    image.draggable = false;
    image.addEventListener("load", () => {
      if (!dropped) onLoad(image);
    });
    image.addEventListener("error", () => {
      if (!dropped) onError();
    });
    image.src = address;
  }

  function loadWholeAsCrop() {
    if (crop) load(cropAddress(crop, { x: 0, y: 0, width, height }, WHOLE_SIDE), showWhole);
  }

  function showContent(image) {
    // If the browser shows other proportions than the index knows, it ignored the orientation: the service renders it.
    if (Math.abs(image.naturalWidth / image.naturalHeight / (width / height) - 1) > 0.02) loadWholeAsCrop();
    else showWhole(image);
  }

  function showWhole(image) {
    density = image.naturalWidth / width;
    whole?.remove();
    whole = image;
    image.className = "whole";
    layer.prepend(image);
    changed();
  }

  function showPart(image, box) {
    part?.image.remove();
    part = { image, box, density: image.naturalWidth / box.width };
    image.className = "part";
    for (const [name, value] of [
      ["left", box.x],
      ["top", box.y],
      ["width", box.width],
      ["height", box.height],
    ]) {
      image.style.setProperty(name, `${value}px`);
    }
    layer.append(image);
    changed();
  }

  function partCovers(box, scale) {
    if (!part || part.density < scale * 0.9) return false;
    const { box: loaded } = part;
    return (
      loaded.x <= Math.max(0, box.x) &&
      loaded.y <= Math.max(0, box.y) &&
      loaded.x + loaded.width >= Math.min(width, box.x + box.width) &&
      loaded.y + loaded.height >= Math.min(height, box.y + box.height)
    );
  }

  // Requests the part in sight (`box`, in pixels of the picture) at `scale` device pixels for one of its own, once the
  // camera has come to rest.
  function look(box, scale) {
    clearTimeout(timer);
    const wanted = Math.min(1, scale);
    if (!crop || !density || density >= wanted * 0.9) return;
    timer = setTimeout(() => {
      const x = Math.max(0, Math.floor(box.x - box.width * MARGIN));
      const y = Math.max(0, Math.floor(box.y - box.height * MARGIN));
      const cut = {
        x,
        y,
        width: Math.min(width - x, Math.ceil(box.width * (1 + 2 * MARGIN))),
        height: Math.min(height - y, Math.ceil(box.height * (1 + 2 * MARGIN))),
      };
      if (cut.width <= 0 || cut.height <= 0 || partCovers(box, wanted)) return;
      const side = Math.min(PART_SIDE, Math.ceil(Math.max(cut.width, cut.height) * wanted));
      load(cropAddress(crop, cut, side), (image) => showPart(image, cut));
    }, SETTLED_MS);
  }

  // Draws the picture in its own pixels; false if it is not loaded yet.
  function draw(context) {
    if (!whole) return false;
    context.drawImage(whole, 0, 0, width, height);
    if (part) {
      const { x, y, width: partWidth, height: partHeight } = part.box;
      context.drawImage(part.image, x, y, partWidth, partHeight);
    }
    return true;
  }

  function place(newMatrix) {
    placed = newMatrix;
  }

  function drop() {
    dropped = true;
    clearTimeout(timer);
    layer.remove();
  }

  // The preview may arrive after the picture itself, and is then not needed.
  if (source.preview) {
    load(source.preview, (image) => {
      if (!whole) showWhole(image);
    });
  }
  if (isDirect()) load(source.content, showContent, loadWholeAsCrop);
  else loadWholeAsCrop();

  return { source, layer, look, draw, place, drop, matrix: () => placed };
}

function cropAddress(crop, { x, y, width, height }, size) {
  const query = new URLSearchParams({ x, y, w: width, h: height, size: Math.max(16, size) });
  return `${crop}${crop.includes("?") ? "&" : "?"}${query}`;
}
