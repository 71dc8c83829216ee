// The grid of cards: how many are in a row, and where an arrow key leads.

export const columnsOf = (list) => getComputedStyle(list).gridTemplateColumns.split(" ").length;

// The place that a key leads to from a place in a grid of `count`: up and down by a row, by other keys one on or, for
// `by` -1, one back. If the last row is shorter, down leads to its end; at an edge the place stays.
export function placeBy(key, by, place, count, columns) {
  if (!/ArrowUp|ArrowDown/.test(key)) return Math.min(count - 1, Math.max(0, place + by));
  const there = place + by * columns;
  if (there < 0) return place;
  if (there < count) return there;
  const isInLastRow = Math.floor(place / columns) === Math.floor((count - 1) / columns);
  return isInLastRow ? place : count - 1;
}
