// The watched folders: how each is, what it holds, and a way to have one looked at again.

import { get } from "./api.js";
import { h, icon, show } from "./dom.js";
import { queue } from "./jobs.js";
import { live, state } from "./live.js";
import { said } from "./said.js";
import { subnav } from "./subnav.js";
import { ago, bytes, has, number, safe, split, t } from "./text.js";

export async function render(main, { signal }) {
  document.title = `${t("nav.folders")} · ${t("app.name")}`;
  state.roots = { items: (await get("/roots", { limit: 200 }, signal)).items };
  const list = h("div", { class: "roots" });
  const draw = () => list.replaceChildren(...state.roots.items.map(card));
  draw();
  show(main, subnav("library", "folders"),
    h("header", { class: "page-head" }, h("div", {}, h("h1", {}, t("folders.title")), h("p", { class: "quiet" }, t("folders.intro"))),
      h("button", { type: "button", onclick: () => queue("scan") }, icon("refresh"), t("action.scan_all"))),
    state.roots.items.length ? list : h("div", { class: "empty" }, h("span", { class: "empty-picture" }, icon("folder", 44)),
      h("h2", {}, t("empty.no_roots.title")), h("p", {}, t("empty.no_roots.text"))));
  live.addEventListener("roots", draw, { signal });
}

function card(root) {
  const { name, folder } = split(root.path);
  const fact = (label, value, link) => [h("dt", {}, label), h("dd", {}, link ? h("a", { href: link }, value) : value)];
  return h("article", { class: `panel root ${root.state}` },
    h("header", {}, h("span", { class: `dot ${root.state}`, "aria-hidden": "true" }), h("h2", {}, name || "/"),
      root.protected ? h("span", { class: "chip" }, icon("lock", 13), t("root.protected")) : null),
    h("p", { class: "where" }, safe(folder)),
    root.state === "offline" ? h("p", { class: "notice" }, t("root.offline.help"), root.reason ? ` (${said(root.reason)})` : "") : null,
    root.note ? h("p", { class: "notice" }, t("root.polled"), ` (${said(root.note)})`) : null,
    h("dl", { class: "facts" },
      fact(t("root.state"), t(`root.${root.state}`)),
      fact(t("root.holds"), `${t("root.images", { n: root.images })} · ${bytes(root.size_bytes)}`, `/?root=${root.id}`),
      fact(t("root.watch"), h("span", { title: said(root.note) }, has(`mode.${root.mode}`) ? t(`mode.${root.mode}`) : root.mode || "–",
        root.mode === "native" ? ` · ${t("root.folders", { n: root.watched_folders })}` : "")),
      fact(t("root.walked"), root.walked ? ago(root.walked) : t("root.never")),
      root.away_images ? fact(t("root.away"), t("root.images", { n: root.away_images })) : null,
      root.problems ? fact(t("nav.problems"), number(root.problems), `/problems?root=${root.id}`) : null),
    h("footer", {}, h("button", { type: "button", disabled: root.state === "offline", onclick: () => queue("scan", { roots: [root.uri] }) },
      icon("refresh", 16), t("action.scan"))));
}
