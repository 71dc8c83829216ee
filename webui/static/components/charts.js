// Charts of plain elements and SVG: bars, a treemap, a timeline. Each has a text alternative.

import { h } from "../core/dom.js";
import { number, t } from "../core/text.js";

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Rows: [{label, value, text, note, href, className}]; the largest value has the longest bar.
export function barChart(rows) {
  const most = Math.max(1, ...rows.map(({ value }) => value));
  return h(
    "ul",
    { class: "bars" },
    rows.map(({ label, value, text, note, href, className = "" }) =>
      h(
        "li",
        {},
        h("span", {}, href ? h("a", { href }, label) : label, h("small", {}, note)),
        h("span", { class: "track" }, h("i", { class: className, style: { width: `${(100 * value) / most}%` } })),
        h("span", { class: "n" }, text),
      ),
    ),
  );
}

// Draws again whenever the element is resized, until the signal aborts.
function drawWhenResized(element, draw, signal) {
  const observer = new ResizeObserver(() => {
    const { width, height } = element.getBoundingClientRect();
    if (width) draw(width, height);
  });
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect());
  return element;
}

// A squarified treemap (Bruls, Huizing, van Wijk, Squarified Treemaps, 2000). Items: [{label, value, part, text,
// open}]; `part` of the value is drawn inside the rectangle.
export function treemap(items, signal) {
  const place = h("div", { class: "treemap", role: "list" });
  const sorted = items.filter(({ value }) => value > 0).sort((a, b) => b.value - a.value);
  const box = ({ item: { label, value, part, text, open }, x, y, w, h: tall }) => {
    const tiny = w < 70 || tall < 34;
    return h(
      "div",
      { role: "listitem" },
      h(
        "button",
        {
          type: "button",
          title: `${label}\n${text}`,
          "aria-label": tiny ? `${label}, ${text}` : null,
          onclick: open,
          style: {
            left: `${x}px`,
            top: `${y}px`,
            width: `${w}px`,
            height: `${tall}px`,
            "--part": `${(100 * part) / value}%`,
          },
        },
        tiny ? null : [h("b", {}, label), " ", h("small", {}, text)],
      ),
    );
  };
  return drawWhenResized(
    place,
    (width, height) => place.replaceChildren(...squarified(sorted, width, height).map(box)),
    signal,
  );
}

export function squarified(items, width, height) {
  const total = items.reduce((sum, { value }) => sum + value, 0);
  const scale = (width * height) / Math.max(1, total);
  const placed = [];
  let room = { x: 0, y: 0, w: width, h: height };
  let row = [];
  const worst = (areas, side) => {
    const sum = areas.reduce((all, area) => all + area, 0);
    return Math.max(
      ...areas.map((area) => Math.max((side * side * area) / (sum * sum), (sum * sum) / (side * side * area))),
    );
  };
  const lay = () => {
    const sum = row.reduce((all, { area }) => all + area, 0);
    const upright = room.w >= room.h;
    const thick = sum / (upright ? room.h : room.w);
    let along = upright ? room.y : room.x;
    for (const { item, area } of row) {
      const long = area / thick;
      placed.push(
        upright ? { item, x: room.x, y: along, w: thick, h: long } : { item, x: along, y: room.y, w: long, h: thick },
      );
      along += long;
    }
    room = upright
      ? { ...room, x: room.x + thick, w: room.w - thick }
      : { ...room, y: room.y + thick, h: room.h - thick };
    row = [];
  };
  for (const item of items) {
    const next = { item, area: item.value * scale };
    const side = Math.min(room.w, room.h);
    if (
      row.length &&
      worst(
        [...row, next].map(({ area }) => area),
        side,
      ) >
        worst(
          row.map(({ area }) => area),
          side,
        )
    )
      lay();
    row.push(next);
  }
  if (row.length) lay();
  return placed;
}

// The number of pictures taken in each month, grouped by year. `months` is [{month: "2019-07", images}].
export function timeline(months, signal) {
  const years = new Map();
  for (const { month, images } of months) {
    const year = Number(month.slice(0, 4));
    if (!years.has(year)) years.set(year, { total: 0, months: Array(12).fill(0) });
    const entry = years.get(year);
    entry.total += images;
    entry.months[Number(month.slice(5, 7)) - 1] += images;
  }
  const first = Math.min(...years.keys());
  const last = Math.max(...years.keys());
  const chart = svg("svg", {
    class: "timeline",
    role: "img",
    "aria-label": t("library.timeline.label", { first: String(first), last: String(last) }),
  });
  drawWhenResized(
    chart,
    (width, height) => chart.replaceChildren(...drawYears(years, first, last, width, height)),
    signal,
  );
  return h(
    "div",
    { class: "timeline-place" },
    chart,
    h(
      "details",
      {},
      h("summary", {}, t("library.as_table")),
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h("tr", {}, h("th", { scope: "col" }, t("library.year")), h("th", { scope: "col" }, t("library.images"))),
        ),
        h(
          "tbody",
          {},
          [...years]
            .sort(([a], [b]) => a - b)
            .map(([year, { total }]) =>
              h("tr", {}, h("th", { scope: "row" }, String(year)), h("td", {}, number(total))),
            ),
        ),
      ),
    ),
  );
}

const LABEL_PX = 46;

function drawYears(years, first, last, width, height) {
  const high = height - 24;
  const most = Math.max(...[...years.values()].flatMap(({ months }) => months));
  const count = last - first + 1;
  const step = width / count;
  const every = Math.ceil(LABEL_PX / step);
  return Array.from({ length: count }, (_, place) => {
    const year = first + place;
    const entry = years.get(year) ?? { total: 0, months: [] };
    const title = svg("title", {});
    title.textContent = t("fact.line", { name: String(year), value: t("root.images", { n: entry.total }) });
    const bars = entry.months.map((n, month) =>
      svg("rect", {
        x: place * step + (step * (month + 0.1)) / 12,
        width: (step * 0.8) / 12,
        y: high - (high - 4) * (n / most),
        height: (high - 4) * (n / most),
        rx: 1,
      }),
    );
    const label = svg("text", { x: place * step + step / 2, y: height - 5, "text-anchor": "middle" });
    if (place % every === 0) label.textContent = String(year);
    return svg(
      "g",
      { class: "year" },
      title,
      svg("rect", { class: "background", x: place * step, y: 0, width: step, height: high }),
      ...bars,
      label,
    );
  });
}
