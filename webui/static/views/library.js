// The library: space by kind of duplicate, by format and by folder, and the dates of the pictures.

import { barChart, timeline, treemap } from "../components/charts.js";
import { subnav } from "../components/subnav.js";
import { get } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { bytes, number, percent, safe, split, t } from "../core/text.js";

export async function render(main, { signal, go }) {
  document.title = `${t("page.library")} · ${t("app.name")}`;
  const { folder } = Object.fromEntries(new URLSearchParams(location.search));
  const statistics = await get("/statistics", { folder }, signal);
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  show(
    main,
    subnav("library", "library"),
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("library.title")), h("p", { class: "quiet" }, t("library.intro"))),
    ),
    h(
      "dl",
      { class: "panel big" },
      fact(t("figure.images"), number(statistics.images)),
      fact(t("library.space"), bytes(statistics.size_bytes)),
      fact(t("figure.reclaimable"), bytes(statistics.reclaimable_bytes)),
    ),
    h(
      "div",
      { class: "two even" },
      h(
        "section",
        { class: "panel" },
        h("h2", {}, t("library.kinds")),
        statistics.kinds.length
          ? barChart(
              statistics.kinds.map((entry) => ({
                label: t(`kind.${entry.kind}`),
                className: `kind-${entry.kind}`,
                value: entry.reclaimable_bytes,
                text: bytes(entry.reclaimable_bytes),
                note: t("library.groups", { n: entry.groups }),
                href: `/?kind=${entry.kind}`,
              })),
            )
          : h("p", { class: "quiet" }, t("library.no_groups")),
      ),
      h(
        "section",
        { class: "panel" },
        h("h2", {}, t("library.formats")),
        barChart(
          statistics.formats.map((entry) => ({
            label: entry.format || t("library.no_format"),
            value: entry.size_bytes,
            text: bytes(entry.size_bytes),
            note: t("root.images", { n: entry.images }),
          })),
        ),
      ),
    ),
    h(
      "section",
      { class: "panel" },
      h(
        "div",
        { class: "panel-head" },
        h("div", {}, h("h2", {}, t("library.folders")), crumbs(statistics)),
        h(
          "p",
          { class: "legend quiet" },
          h("i", { class: "swatch" }),
          t("library.space"),
          h("i", { class: "swatch gain" }),
          t("library.folder_reclaimable"),
        ),
      ),
      statistics.folders.length
        ? treemap(
            statistics.folders.map((entry) => ({
              label: split(entry.path).name || entry.path,
              value: entry.size_bytes,
              part: entry.reclaimable_bytes,
              text: t("library.folder_summary", {
                size: bytes(entry.size_bytes),
                n: entry.images,
                gain: bytes(entry.reclaimable_bytes),
              }),
              open: entry.folders
                ? () => go(`/library?folder=${encodeURIComponent(entry.uri)}`)
                : () => go(`/?path=${encodeURIComponent(entry.uri)}`),
            })),
            signal,
          )
        : h("p", { class: "quiet" }, t("library.no_folders")),
    ),
    h(
      "section",
      { class: "panel" },
      h("h2", {}, t("library.time")),
      statistics.months.length
        ? timeline(statistics.months, signal)
        : h("p", { class: "quiet" }, t("library.no_dates")),
      statistics.undated
        ? h(
            "p",
            { class: "quiet small" },
            t("library.undated", {
              n: statistics.undated,
              share: percent(statistics.undated / Math.max(1, statistics.images)),
            }),
          )
        : null,
    ),
  );
}

function crumbs({ folder, parents }) {
  if (!folder) return h("p", { class: "quiet small" }, t("library.folders.help"));
  return h(
    "p",
    { class: "where" },
    h("a", { href: "/library" }, t("library.all_folders")),
    parents.map(({ path, uri }) => [
      " / ",
      h("a", { href: `/library?folder=${encodeURIComponent(uri)}` }, split(path).name || safe(path)),
    ]),
    " / ",
    split(folder).name,
    " ",
    h("a", { href: `/?path=${encodeURIComponent(folder)}` }, icon("search", 14), t("library.see_groups")),
  );
}
