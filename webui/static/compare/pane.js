// A pane of a comparison: one picture with its label and buttons.

import { h } from "../core/dom.js";
import { createPicture } from "./picture.js";
import { bounds } from "./placement.js";

// `side` names the pane for the style sheet; `changed` is called whenever there is more of the picture to see.
export function createPane(side, changed) {
  const label = h("figcaption", {});
  const actions = h("div", { class: "pane-actions" });
  const element = h("figure", { class: `pane pane-${side}` }, label, actions);
  let picture = null;

  // `picture` is the source of picture.js and `matrix` leads from it to the scene; label and actions are nodes, both
  // optional.
  function show({ picture: source, label: text, actions: buttons, selected, matrix }) {
    label.replaceChildren(...[text].flat().filter(Boolean));
    actions.replaceChildren(...[buttons].flat().filter(Boolean));
    element.classList.toggle("selected", Boolean(selected));
    if (picture && picture.source.content === source.content) {
      picture.place(matrix);
      return;
    }
    picture?.drop();
    picture = createPicture(source, matrix, changed);
    element.prepend(picture.layer);
  }

  // Lays the picture out for a camera whose matrix leads from the scene to the pane; `sight` is the pane.
  function paint(toPane, sight) {
    const matrix = toPane.multiply(picture.matrix());
    picture.layer.style.setProperty("transform", matrix.toString());
    const scale = Math.hypot(matrix.a, matrix.b) * devicePixelRatio;
    picture.layer.classList.toggle("pixels", scale >= 3);
    picture.look(bounds(matrix.inverse(), sight), scale);
  }

  // The box of the picture in the scene.
  function extent() {
    const { width, height } = picture.source;
    return bounds(picture.matrix(), { x: 0, y: 0, width, height });
  }

  // The size of a pixel of the picture in the scene.
  function pixelSize() {
    const { a, b, c, d } = picture.matrix();
    return Math.sqrt(Math.abs(a * d - b * c));
  }

  const drop = () => picture?.drop();
  return { element, show, paint, extent, pixelSize, drop, picture: () => picture };
}
