// PURE: the pages of a survey: six images each, or as many as leave no page with one or two.

const MOST = 6;
const LEAST = 3;

// The places [first, end) on the page that shows a place; `count` images in all.
export function pageOf(place, count) {
  const pages = Math.max(1, Math.ceil(count / MOST));
  const rest = count % MOST;
  const isEven = rest > 0 && rest < LEAST;
  const start = (page) => (isEven ? Math.floor((page * count) / pages) : Math.min(page * MOST, count));
  let page = 0;
  while (start(page + 1) <= place && page < pages - 1) page += 1;
  return [start(page), start(page + 1)];
}

// The number of columns in which `count` cells of a `width` x `height` area show a scene as large as possible.
export function columnsFor(count, { width, height }, scene) {
  const zoom = (columns) => {
    const rows = Math.ceil(count / columns);
    return Math.min(width / columns / scene.width, height / rows / scene.height);
  };
  let best = 1;
  for (let columns = 2; columns <= count; columns += 1) if (zoom(columns) > zoom(best) * 1.001) best = columns;
  return best;
}
