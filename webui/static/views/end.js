// The end of a list in the review: how much is decided, and what there is to do next.

import { openHelp } from "../components/key-help.js";
import { bindKeys } from "../components/keys.js";
import { h, show } from "../core/dom.js";
import { t } from "../core/text.js";
import { groupAddress, listAddress } from "../review/addresses.js";
import { settled, undo } from "../review/decisions.js";
import { endPanel } from "../review/end-of-review.js";

export async function render(main, { signal, go, goBack }) {
  document.title = `${t("end.title")} · ${t("app.name")}`;
  await settled();
  const chosen = Object.fromEntries(new URLSearchParams(location.search));
  const list = h("a", { class: "button", href: listAddress(chosen) }, t("nav.groups"));
  show(main, h("h1", { class: "sr" }, t("end.title")), await endPanel(chosen, signal, list));
  bindKeys(
    {
      plan: () => go("/plan"),
      back: () => goBack(listAddress(chosen)),
      undo: async () => {
        const undone = await undo();
        if (undone) go(groupAddress(undone, chosen), { replace: true });
      },
      help: openHelp,
    },
    signal,
  );
}
