// The end of a list in the review: how much is decided, and what there is to do next.

import { emptyState } from "../components/empty-state.js";
import { openHelp } from "../components/key-help.js";
import { bindKeys } from "../components/keys.js";
import { get } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { bytes, number, t } from "../core/text.js";
import { groupQuery, listAddress } from "../review/addresses.js";
import { loadFigures, settled, undo } from "../review/decisions.js";

export async function render(main, { signal, go, goBack }) {
  document.title = `${t("end.title")} · ${t("app.name")}`;
  await settled();
  const chosen = Object.fromEntries(new URLSearchParams(location.search));
  const open = { ...groupQuery(chosen), decided: "none,partly", limit: 1, images: 1 };
  const [figures, { items, total }] = await Promise.all([loadFigures(signal), get("/groups", open, signal)]);
  const counts = { done: number(figures.decided), total: number(figures.groups) };
  const apply = h(
    "a",
    { class: "button primary", href: "/plan" },
    icon("check", 17),
    t("end.apply", { size: bytes(figures.planned_bytes) }),
  );
  const goOn = items.length
    ? h(
        "a",
        { class: "button", href: `/groups/${items[0].id}${listAddress(chosen).slice(1)}` },
        t("end.open", { n: total }),
      )
    : null;
  const list = h("a", { class: "button", href: listAddress(chosen) }, t("nav.groups"));
  show(
    main,
    h("h1", { class: "sr" }, t("end.title")),
    emptyState(
      "check",
      t("review.decided", counts),
      figures.images_to_act
        ? t("end.text", { n: figures.images_to_act, size: bytes(figures.planned_bytes) })
        : t("plan.empty.text"),
      h("div", { class: "buttons" }, figures.images_to_act ? apply : null, goOn, list),
    ),
  );
  bindKeys(
    {
      plan: () => go("/plan"),
      back: () => goBack(listAddress(chosen)),
      undo: async () => {
        const undone = await undo();
        if (undone) go(`/groups/${undone.id}${listAddress(chosen).slice(1)}`, { replace: true });
      },
      help: openHelp,
    },
    signal,
  );
}
