// The order in which the review of a group opens.

const DIFFERENCE = ["exact", "pixels", "near", "possible"];

// The proposed image, which is the left one of a pair, then the one that differs most from it by its kind; the others
// keep their order. A group marked as near must not open on two identical files.
export function inOpeningOrder(images, proposedId) {
  const proposed = images.find(({ id }) => id === proposedId) ?? images[0];
  const others = images.filter((image) => image !== proposed);
  const [second] = [...others].sort((a, b) => difference(b, proposed) - difference(a, proposed));
  return [proposed, second, ...others.filter((image) => image !== second)].filter(Boolean);
}

// The kind of an image is that of its match with the reference.
function difference(image, proposed) {
  if (image.digest === proposed.digest) return -1;
  return DIFFERENCE.indexOf((image.reference ? proposed : image).kind);
}
