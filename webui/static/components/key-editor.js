// The keyboard shortcuts of this browser, each of which can be given another key.

import { h, icon } from "../core/dom.js";
import { t } from "../core/text.js";
import { changeKey, keyFrom, keyName, keyNames, keyTable, PARTS, resetKeys } from "./keys.js";

// Keys that browsers and assistive technology need, or that do nothing alone.
const UNUSABLE = /^(Tab|Shift|Control|Alt|AltGraph|Meta|CapsLock|Dead|Process|Unidentified|ContextMenu|F\d+)$/;

export function keyEditor() {
  const status = h("p", { class: "key-status", role: "status" });
  const place = h("div", { class: "key-parts" });
  const nameOf = (action) => t(`key.${action}`);
  const say = (text, isWrong) => {
    status.textContent = text;
    status.classList.toggle("wrong", isWrong);
  };

  function draw(focused = "") {
    const table = keyTable();
    place.replaceChildren(
      ...PARTS.map((part) =>
        h(
          "section",
          {},
          h("h3", {}, t(`keys.part.${part}`)),
          h("dl", {}, table.filter((e) => e.part === part).map(line)),
        ),
      ),
    );
    if (focused) place.querySelector(`[data-action="${focused}"]`)?.focus();
  }

  function line(entry) {
    const keys = keyNames(entry).flatMap((key) => [h("kbd", {}, key), " "]);
    const name = nameOf(entry.action);
    return h(
      "div",
      {},
      h(
        "dt",
        {},
        // A row of keys stays as it is.
        entry.shown
          ? keys
          : h(
              "button",
              {
                type: "button",
                class: "key-button",
                data: { action: entry.action },
                title: t("device.keys.change", { name }),
                "aria-label": `${keyNames(entry).join(" ")}: ${t("device.keys.change", { name })}`,
                onclick: (event) => ask(entry, event.currentTarget),
              },
              keys,
            ),
      ),
      h("dd", {}, name, entry.changed ? resetButton(entry, name) : null),
    );
  }

  const resetButton = (entry, name) =>
    h(
      "button",
      {
        type: "button",
        class: "plain",
        title: t("device.keys.reset", { name }),
        "aria-label": t("device.keys.reset", { name }),
        onclick: () => {
          const taken = resetKeys(entry.action);
          if (taken) say(t("device.keys.taken", { key: nameOf(entry.action), name: nameOf(taken) }), true);
          else say("", false);
          draw(entry.action);
        },
      },
      icon("refresh", 16),
    );

  // Waits for the next key; leaving the button, or pressing it again, changes nothing.
  function ask(entry, button) {
    const { action } = entry;
    const waiting = new AbortController();
    const { signal } = waiting;
    const end = () => {
      waiting.abort();
      draw(action);
    };
    button.replaceChildren(t("device.keys.press"));
    button.addEventListener("blur", () => waiting.abort() || draw(), { signal });
    button.addEventListener("click", end, { signal });
    addEventListener(
      "keydown",
      (event) => {
        if (event.key === "Tab" || /^(Shift|Control|Alt|AltGraph|Meta)$/.test(event.key)) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        const { key } = keyFrom(event);
        if (event.ctrlKey || event.altKey || event.metaKey || UNUSABLE.test(event.key)) {
          say(t("device.keys.unusable"), true);
        } else {
          const taken = changeKey(action, key);
          const named = { key: keyName(key), name: nameOf(taken ?? action) };
          say(t(taken ? "device.keys.taken" : "device.keys.saved", named), Boolean(taken));
        }
        end();
      },
      { signal, capture: true },
    );
  }

  draw();
  return h(
    "div",
    { class: "key-editor" },
    status,
    place,
    h(
      "button",
      {
        type: "button",
        class: "small",
        onclick: () => {
          resetKeys();
          say("", false);
          draw();
        },
      },
      icon("refresh", 16),
      t("device.keys.reset_all"),
    ),
  );
}
