// Mouse, touch and wheel on the stage of a comparison: pan, pinch and wheel zoom, swipe, tap, and the slider's handle.

// Between two panes.
export const GAP_PX = 2;
const SWIPE_PX = 60;
const TAP_PX = 6;
const SLIDE_STEP = 0.05;
const LINE_PX = 30;

// `compare` is what the pointers act on: its camera, draw and zoomBy. A double click calls toggleZoom with a point from
// the centre of its pane, a click or tap onTap with the place of its pane, and a finger drawn over the pictures, while
// all of them are in sight, onSwipe with "left", "right" or "up" and that place.
export function bindPointers(stage, compare) {
  const { camera, draw } = compare;
  const pointers = new Map();
  let start = null;

  // A point of the page, from the centre of the pane it is in.
  function fromCentre({ clientX, clientY }) {
    const { left, top } = stage.getBoundingClientRect();
    const { width, height } = camera.pane();
    return [((clientX - left) % (width + GAP_PX)) - width / 2, ((clientY - top) % (height + GAP_PX)) - height / 2];
  }

  function move(event) {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const point = { x: event.clientX, y: event.clientY };
    start.moved ||= Math.hypot(point.x - start.x, point.y - start.y) > TAP_PX;
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, point);
    if (other) {
      const distance = ({ x, y }) => Math.hypot(x - other.x, y - other.y);
      const middle = { clientX: (point.x + other.x) / 2, clientY: (point.y + other.y) / 2 };
      const factor = distance(point) / Math.max(1, distance(before));
      camera.zoomTo(camera.zoom() * factor, ...fromCentre(middle));
      camera.pan((point.x - before.x) / 2, (point.y - before.y) / 2);
    } else if (!camera.fitted()) {
      camera.pan(point.x - before.x, point.y - before.y);
    }
    draw();
  }

  function end(event) {
    if (!pointers.delete(event.pointerId) || pointers.size || event.type === "pointercancel" || !start.alone) return;
    const across = event.clientX - start.x;
    const down = event.clientY - start.y;
    if (!start.moved) {
      if (start.pane >= 0) compare.onTap?.(start.pane);
      return;
    }
    if (event.pointerType !== "touch" || !camera.fitted()) return;
    if (Math.abs(across) > SWIPE_PX && Math.abs(across) > 2 * Math.abs(down)) {
      compare.onSwipe(across < 0 ? "left" : "right", start.pane);
    } else if (down < -SWIPE_PX && -down > 2 * Math.abs(across) && start.pane >= 0) {
      compare.onSwipe("up", start.pane);
    }
  }

  const isOnPicture = (event) => !event.target.closest("button");
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const unit = event.deltaMode ? LINE_PX : 1;
      const speed = event.ctrlKey ? 0.01 : 0.0018;
      compare.zoomBy(Math.exp(-event.deltaY * unit * speed), ...fromCentre(event));
    },
    { passive: false },
  );
  stage.addEventListener("dblclick", (event) => {
    if (isOnPicture(event)) compare.toggleZoom?.(...fromCentre(event));
  });
  stage.addEventListener("pointerdown", (event) => {
    if (event.button || !isOnPicture(event)) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const pane = event.target.closest(".pane");
    const place = pane ? [...stage.querySelectorAll(".pane")].indexOf(pane) : -1;
    start = { x: event.clientX, y: event.clientY, alone: pointers.size === 1, moved: false, pane: place };
  });
  stage.addEventListener("pointermove", move);
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
}

// Moves the boundary of the slider by its handle: `setCut` takes the share of the width to its left, `cut` returns it.
export function bindHandle(stage, handle, { setCut, cut }) {
  handle.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    event.stopPropagation();
    const { left, width } = stage.getBoundingClientRect();
    setCut((event.clientX - left) / width);
  });
  handle.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -SLIDE_STEP, ArrowRight: SLIDE_STEP, Home: -1, End: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    setCut(cut() + step);
  });
}
