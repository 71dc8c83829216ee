// The pictures most similar to an image, copies or not: requested when the list is opened.

import { thumbnail } from "../components/pictures.js";
import { get } from "../core/api.js";
import { h } from "../core/dom.js";
import { errorText, split, t } from "../core/text.js";
import { cosineText } from "./facts.js";

// `image` gives the image that the list is about, at the time it is opened. With another one selected, it is closed by
// `closeSimilar`.
export function similarPictures(image) {
  const place = h("div", { class: "similar-place", "aria-live": "polite" });
  const draw = async () => {
    const { id } = image();
    element.dataset.image = String(id);
    place.replaceChildren(h("p", { class: "quiet" }, t("similar.loading")));
    try {
      const { items, reason } = await get(`/images/${id}/similar`);
      const text = reason || t("similar.none");
      place.replaceChildren(
        items.length ? h("ol", { class: "similar" }, items.map(entry)) : h("p", { class: "quiet" }, text),
      );
    } catch (error) {
      place.replaceChildren(h("p", { class: "notice wrong" }, errorText(error)));
    }
  };
  const element = h(
    "details",
    { class: "similar-pictures", ontoggle: (event) => (event.target.open ? draw() : null) },
    h("summary", {}, t("similar.title")),
    h("p", { class: "help" }, t("similar.help")),
    place,
  );
  return element;
}

export function closeSimilar(element, image) {
  if (element.dataset.image !== String(image.id)) element.open = false;
}

const entry = ({ image, cosine }) =>
  h(
    "li",
    {},
    h(
      "a",
      { href: image.content, target: "_blank", rel: "noopener", title: image.path },
      thumbnail(image),
      h("span", {}, split(image.path).name),
      h("small", {}, cosineText(cosine)),
    ),
  );
