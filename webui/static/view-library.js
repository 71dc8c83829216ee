// The library at a glance: what kinds of duplicates take how much room, in which folders, and when the pictures were taken.

import { get } from "./api.js";
import { barChart, timeline, treemap } from "./charts.js";
import { h, icon, show } from "./dom.js";
import { subnav } from "./subnav.js";
import { bytes, number, percent, safe, split, t } from "./text.js";

export async function render(main, { signal, go }) {
  document.title = `${t("page.library")} · ${t("app.name")}`;
  const { folder } = Object.fromEntries(new URLSearchParams(location.search));
  const found = await get("/statistics", { folder }, signal);
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  show(main, subnav("library", "library"),
    h("header", { class: "page-head" }, h("div", {}, h("h1", {}, t("library.title")), h("p", { class: "quiet" }, t("library.intro")))),
    h("dl", { class: "panel big" }, fact(t("figure.images"), number(found.images)), fact(t("library.space"), bytes(found.size_bytes)), fact(t("figure.reclaimable"), bytes(found.reclaimable_bytes))),
    h("div", { class: "two even" },
      h("section", { class: "panel" }, h("h2", {}, t("library.kinds")), found.kinds.length ? barChart(found.kinds.map((one) => ({
        label: t(`kind.${one.kind}`), className: `kind-${one.kind}`, value: one.reclaimable_bytes, told: bytes(one.reclaimable_bytes),
        note: t("library.groups", { n: one.groups }), href: `/?kind=${one.kind}` }))) : h("p", { class: "quiet" }, t("library.no_groups"))),
      h("section", { class: "panel" }, h("h2", {}, t("library.formats")), barChart(found.formats.map((one) => ({
        label: one.format || t("library.no_format"), value: one.size_bytes, told: bytes(one.size_bytes), note: t("root.images", { n: one.images }) }))))),
    h("section", { class: "panel" }, h("div", { class: "panel-head" }, h("div", {}, h("h2", {}, t("library.folders")), crumbs(found)), h("p", { class: "legend quiet" },
      h("i", { class: "swatch" }), t("library.space"), h("i", { class: "swatch gain" }), t("library.folder_gain"))),
    found.folders.length ? treemap(found.folders.map((one) => ({ label: split(one.path).name || one.path, value: one.size_bytes, part: one.reclaimable_bytes,
      told: t("library.folder_told", { size: bytes(one.size_bytes), n: one.images, gain: bytes(one.reclaimable_bytes) }),
      open: one.folders ? () => go(`/library?folder=${encodeURIComponent(one.uri)}`) : () => go(`/?path=${encodeURIComponent(one.uri)}`) })), signal)
      : h("p", { class: "quiet" }, t("library.no_folders"))),
    h("section", { class: "panel" }, h("h2", {}, t("library.time")), found.months.length ? timeline(found.months, signal) : h("p", { class: "quiet" }, t("library.no_dates")),
      found.undated ? h("p", { class: "quiet small" }, t("library.undated", { n: found.undated, share: percent(found.undated / Math.max(1, found.images)) })) : null));
}

function crumbs({ folder, parents }) {
  if (!folder) return h("p", { class: "quiet small" }, t("library.folders.help"));
  return h("p", { class: "where" }, h("a", { href: "/library" }, t("library.all_folders")),
    parents.map(({ path, uri }) => [" / ", h("a", { href: `/library?folder=${encodeURIComponent(uri)}` }, split(path).name || safe(path))]), " / ", split(folder).name,
    " ", h("a", { href: `/?path=${encodeURIComponent(folder)}` }, icon("search", 14), t("library.see_groups")));
}
