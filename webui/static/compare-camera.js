// PURE: what part of the scene is in sight. The scene is what all panes look at together, so that they stay linked.

// Screen pixels for one of the finest picture; more shows nothing new.
const MOST = 8;

export class Camera {
  constructor() {
    this.finest = 1;
    this.scene = { x: 0, y: 0, width: 1, height: 1 };
    this.pane = { width: 1, height: 1 };
    this.x = 0.5;
    this.y = 0.5;
    this.zoom = 1;
    this.fitted = true;
  }

  get fitZoom() {
    return Math.min(this.pane.width / this.scene.width, this.pane.height / this.scene.height);
  }

  // Look at another scene, or from a pane of another size; a view that was fitted stays fitted. `finest` is how many
  // pixels of the scene are one of the finest picture in it.
  set(scene, pane, finest) {
    this.scene = scene;
    this.pane = pane;
    this.finest = finest;
    if (this.fitted) this.fit();
    else this.#clamp();
  }

  fit() {
    this.fitted = true;
    this.zoom = this.fitZoom;
    this.x = this.scene.x + this.scene.width / 2;
    this.y = this.scene.y + this.scene.height / 2;
  }

  // Zoom so that the point of the pane (from its middle) that lies under the pointer stays under it.
  zoomTo(zoom, px = 0, py = 0) {
    const before = this.zoom;
    this.zoom = Math.min(Math.max(zoom, this.fitZoom), Math.max(MOST / this.finest, this.fitZoom));
    this.fitted = this.zoom <= this.fitZoom * 1.001;
    this.x += px / before - px / this.zoom;
    this.y += py / before - py / this.zoom;
    this.#clamp();
  }

  pan(dx, dy) {
    this.x -= dx / this.zoom;
    this.y -= dy / this.zoom;
    this.#clamp();
  }

  // Nothing but the picture is worth looking at: where it is larger than the pane it fills it, else it lies in the middle.
  #clamp() {
    this.x = within(this.x, this.scene.x, this.scene.width, this.pane.width / this.zoom);
    this.y = within(this.y, this.scene.y, this.scene.height, this.pane.height / this.zoom);
  }

  // From the scene to the pane.
  get matrix() {
    return new DOMMatrix().translate(this.pane.width / 2, this.pane.height / 2).scale(this.zoom).translate(-this.x, -this.y);
  }
}

function within(value, start, length, seen) {
  if (seen >= length) return start + length / 2;
  return Math.min(Math.max(value, start + seen / 2), start + length - seen / 2);
}
