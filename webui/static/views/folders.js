// The watched folders: state and contents of each, and buttons that add, change, remove and scan them.

import { subnav } from "../components/subnav.js";
import { h, icon, show } from "../core/dom.js";
import { loadRoots } from "../core/live.js";
import { subscribe } from "../core/store.js";
import { addRoot, changeRoot, firstFolder, removeRoot } from "../folders/root-dialog.js";
import { destinationsPanel } from "../folders/destinations-panel.js";
import { ago, bytes, has, number, safe, split, t } from "../core/text.js";
import { queue } from "../jobs/jobs.js";

export async function render(main, { signal, go }) {
  document.title = `${t("nav.folders")} · ${t("app.name")}`;
  const roots = await loadRoots(signal);
  if (!roots.length) {
    show(main, subnav("library", "folders"), firstFolder(go));
    return;
  }
  const list = h("div", { class: "roots" });
  const draw = ({ items }) => list.replaceChildren(...items.map(card));
  draw({ items: roots });
  show(
    main,
    subnav("library", "folders"),
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("folders.title")), h("p", { class: "quiet" }, t("folders.intro"))),
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", onclick: () => queue("scan") }, icon("refresh"), t("action.scan_all")),
        h("button", { type: "button", class: "primary", onclick: addRoot }, icon("plus"), t("root.add_folder")),
      ),
    ),
    list,
    await destinationsPanel(),
  );
  // Without the last folder, the first question is asked again.
  subscribe("roots", (value) => (value.items.length ? draw(value) : go("/folders", { replace: true })), { signal });
}

function card(root) {
  const { name, folder } = split(root.path);
  const fact = (label, value, link) => [h("dt", {}, label), h("dd", {}, link ? h("a", { href: link }, value) : value)];
  const skipped = Object.entries(root.skipped).map(([kind, endings]) => {
    const n = Object.values(endings).reduce((sum, count) => sum + count, 0);
    const named = Object.entries(endings).map(([ending, count]) => `${ending} ${number(count)}`);
    return h("li", { title: named.join(", ") }, t(`skipped.${kind}`, { n }));
  });
  return h(
    "article",
    { class: `panel root ${root.state}` },
    h(
      "header",
      {},
      h("span", { class: `dot ${root.state}`, "aria-hidden": "true" }),
      h("h2", {}, name || "/"),
      root.protected ? h("span", { class: "chip" }, icon("lock", 13), t("root.protected")) : null,
      h(
        "span",
        { class: "chip" },
        t(`root.origin.${root.origin}`),
        root.changed.length ? `, ${t("root.origin.changed")}` : "",
      ),
    ),
    h("p", { class: "where" }, safe(folder)),
    root.state === "offline"
      ? h("p", { class: "notice" }, t("root.offline.help"), root.reason ? ` (${root.reason})` : "")
      : null,
    root.note ? h("p", { class: "notice" }, t("root.polled"), ` (${root.note})`) : null,
    h(
      "dl",
      { class: "facts" },
      fact(t("root.state"), t(`root.${root.state}`)),
      fact(t("root.holds"), `${t("root.images", { n: root.images })} · ${bytes(root.size_bytes)}`, `/?root=${root.id}`),
      fact(
        t("root.watch"),
        h(
          "span",
          { title: root.note },
          has(`mode.${root.mode}`) ? t(`mode.${root.mode}`) : root.mode || "–",
          root.mode === "native" ? ` · ${t("root.folders", { n: root.watched_folders })}` : "",
        ),
      ),
      fact(t("root.scanned"), root.walked ? ago(root.walked) : t("root.never")),
      root.recursive ? null : fact(t("root.depth"), t("root.not_recursive")),
      root.exclude.length ? fact(t("root.exclude"), root.exclude.map(safe).join(", ")) : null,
      root.priority ? fact(t("root.priority"), number(root.priority)) : null,
      root.away_images ? fact(t("root.away"), t("root.images", { n: root.away_images })) : null,
      skipped.length ? fact(t("root.skipped"), h("ul", { class: "plain" }, skipped)) : null,
      root.problems ? fact(t("nav.problems"), number(root.problems), `/problems?root=${root.id}`) : null,
    ),
    h(
      "footer",
      {},
      h(
        "button",
        { type: "button", disabled: root.state === "offline", onclick: () => queue("scan", { roots: [root.uri] }) },
        icon("refresh", 16),
        t("action.scan"),
      ),
      h("button", { type: "button", onclick: () => changeRoot(root) }, t("action.change")),
      root.origin === "page"
        ? h("button", { type: "button", onclick: () => removeRoot(root) }, t("action.remove"))
        : null,
    ),
  );
}
