// The dialog that lists the keyboard shortcuts as they are now.

import { h, icon } from "../core/dom.js";
import { t } from "../core/text.js";
import { keyFrom, keyNames, keyTable, PARTS, setSingleKeys, singleKeys } from "./keys.js";

export function openHelp() {
  const table = keyTable();
  const helpKeys = table.find(({ action }) => action === "help").keys;
  const line = (entry) =>
    h(
      "div",
      {},
      h(
        "dt",
        {},
        keyNames(entry).map((key) => h("kbd", {}, key)),
      ),
      h("dd", {}, t(`key.${entry.action}`)),
    );
  const dialog = h(
    "dialog",
    { class: "sheet help-sheet", "aria-label": t("keys.title") },
    h(
      "form",
      { method: "dialog" },
      h(
        "header",
        {},
        h("h2", {}, t("keys.title")),
        h(
          "button",
          { class: "plain", value: "close", "aria-label": t("action.close"), autofocus: true },
          icon("close"),
        ),
      ),
      h(
        "div",
        { class: "key-parts" },
        PARTS.map((part) =>
          h(
            "section",
            {},
            h("h3", {}, t(`keys.part.${part}`)),
            h("dl", {}, table.filter((entry) => entry.part === part).map(line)),
          ),
        ),
      ),
      h("p", {}, h("a", { href: "/settings", onclick: () => dialog.close() }, t("keys.change"))),
      h(
        "label",
        { class: "check" },
        h("input", {
          type: "checkbox",
          checked: singleKeys(),
          onchange: (event) => setSingleKeys(event.target.checked),
        }),
        h("span", {}, t("keys.single"), h("small", {}, t("keys.single.help"))),
      ),
    ),
  );
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", (event) => {
    if (helpKeys.includes(keyFrom(event).key)) {
      event.stopPropagation();
      dialog.close();
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}
