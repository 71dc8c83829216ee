// PURE: which part of the scene is in sight. The scene is what all panes show, so that they stay linked.

// Screen pixels per pixel of the finest picture; a higher zoom shows no more detail.
const MAX_PIXEL_SIZE = 8;

export function createCamera() {
  let scene = { x: 0, y: 0, width: 1, height: 1 };
  let pane = { width: 1, height: 1 };
  let finest = 1;
  let x = 0.5;
  let y = 0.5;
  let zoom = 1;
  let fitted = true;

  const fitZoom = () => Math.min(pane.width / scene.width, pane.height / scene.height);

  // The pane shows only the scene: a scene larger than the pane fills it, a smaller one is centred.
  function clamp() {
    x = clamped(x, scene.x, scene.width, pane.width / zoom);
    y = clamped(y, scene.y, scene.height, pane.height / zoom);
  }

  function fit() {
    fitted = true;
    zoom = fitZoom();
    x = scene.x + scene.width / 2;
    y = scene.y + scene.height / 2;
  }

  // Sets the scene and the size of the pane; a fitted scene stays fitted. `finestPixel` is the size of a pixel of the
  // finest picture, in pixels of the scene.
  function set(newScene, newPane, finestPixel) {
    scene = newScene;
    pane = newPane;
    finest = finestPixel;
    if (fitted) fit();
    else clamp();
  }

  // Zooms about a point of the pane, relative to its centre: what is under the pointer stays there.
  function zoomTo(wanted, px = 0, py = 0) {
    const before = zoom;
    zoom = Math.min(Math.max(wanted, fitZoom()), Math.max(MAX_PIXEL_SIZE / finest, fitZoom()));
    fitted = zoom <= fitZoom() * 1.001;
    x += px / before - px / zoom;
    y += py / before - py / zoom;
    clamp();
  }

  function pan(dx, dy) {
    x -= dx / zoom;
    y -= dy / zoom;
    clamp();
  }

  // From the scene to the pane.
  const matrix = () =>
    new DOMMatrix()
      .translate(pane.width / 2, pane.height / 2)
      .scale(zoom)
      .translate(-x, -y);

  return { set, fit, zoomTo, pan, matrix, fitZoom, zoom: () => zoom, fitted: () => fitted, pane: () => pane };
}

function clamped(value, start, length, seen) {
  if (seen >= length) return start + length / 2;
  return Math.min(Math.max(value, start + seen / 2), start + length - seen / 2);
}
