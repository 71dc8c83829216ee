// PURE: the position of each picture in the scene. The scene is measured in pixels of the reference; matching parts
// coincide.

// What a turn does to a picture of w x h pixels, as [a, b, c, d, e, f] of a matrix: x' = ax + cy + e, y' = bx + dy + f.
const TURNS = {
  none: () => [1, 0, 0, 1, 0, 0],
  flip_horizontal: (w) => [-1, 0, 0, 1, w, 0],
  flip_vertical: (w, h) => [1, 0, 0, -1, 0, h],
  rotate_180: (w, h) => [-1, 0, 0, -1, w, h],
  transpose: () => [0, 1, 1, 0, 0, 0],
  rotate_90: (w, h) => [0, 1, -1, 0, h, 0],
  rotate_270: (w) => [0, -1, 1, 0, 0, w],
  transverse: (w, h) => [0, -1, -1, 0, h, w],
};
const INVERSE = { rotate_90: "rotate_270", rotate_270: "rotate_90" };
// Proportions that differ by less count as equal: the difference is due to rounding.
const SAME_PROPORTIONS = 0.03;

export function turnMatrix(turn, width, height) {
  return new DOMMatrix(TURNS[turn](width, height));
}

// The matrix from the upright pixels of a picture to those of the reference. `evidence` describes how the picture was
// made from the reference; if it is empty, the whole picture is aligned with the whole reference.
export function placement(picture, reference, evidence = {}) {
  const { width, height } = picture;
  const turn = evidence.turn ?? "none";
  const undone = turnMatrix(INVERSE[turn] ?? turn, width, height);
  const turned = bounds(undone, { x: 0, y: 0, width, height });
  const whole = { x: 0, y: 0, width: reference.width, height: reference.height };
  const { crop } = evidence;
  const target = crop?.of === "first" ? inPixels(crop.box, reference) : whole;
  const source = crop?.of === "second" ? bounds(undone, inPixels(crop.box, picture)) : turned;
  const stretched = turned.width / turned.height / (target.width / target.height);
  const otherShape = !evidence.stretch && Math.abs(stretched - 1) > SAME_PROPORTIONS;
  if (evidence.tilt || (!crop && (evidence.frame || otherShape))) {
    return byScale(picture, undone, turned, target, evidence);
  }
  return new DOMMatrix()
    .translate(target.x, target.y)
    .scale(target.width / source.width, target.height / source.height)
    .translate(-source.x, -source.y)
    .multiply(undone);
}

// Centre over centre, with the scale of the evidence, or fitted if it has none.
function byScale({ width, height }, undone, turned, target, { scale, tilt = 0 }) {
  const factor = scale ? 1 / scale : Math.min(target.width / turned.width, target.height / turned.height);
  return new DOMMatrix()
    .translate(target.x + target.width / 2, target.y + target.height / 2)
    .scale(factor)
    .translate(-turned.width / 2, -turned.height / 2)
    .multiply(undone)
    .translate(width / 2, height / 2)
    .rotate(-tilt)
    .translate(-width / 2, -height / 2);
}

const inPixels = ([left, top, right, bottom], { width, height }) => ({
  x: left * width,
  y: top * height,
  width: (right - left) * width,
  height: (bottom - top) * height,
});

// The upright bounding box of a transformed box.
export function bounds(matrix, { x, y, width, height }) {
  const corners = [
    [x, y],
    [x + width, y],
    [x, y + height],
    [x + width, y + height],
  ].map(([px, py]) => matrix.transformPoint(new DOMPoint(px, py)));
  const xs = corners.map((corner) => corner.x);
  const ys = corners.map((corner) => corner.y);
  const left = Math.min(...xs);
  const top = Math.min(...ys);
  return { x: left, y: top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
}

export function union(first, second) {
  const x = Math.min(first.x, second.x);
  const y = Math.min(first.y, second.y);
  return {
    x,
    y,
    width: Math.max(first.x + first.width, second.x + second.width) - x,
    height: Math.max(first.y + first.height, second.y + second.height) - y,
  };
}
