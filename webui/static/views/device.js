// What is stored in this browser: the theme, notifications, and the keyboard shortcuts.

import { keyEditor } from "../components/key-editor.js";
import { toast } from "../components/toast.js";
import { h } from "../core/dom.js";
import { t } from "../core/text.js";
import { setTheme, theme } from "../core/theme.js";
import { canNotify, isDenied, notifies, setNotifies } from "../jobs/browser-notices.js";

const THEMES = ["", "light", "dark"];

export function devicePanel() {
  return h(
    "section",
    { class: "panel device" },
    h("h2", {}, t("device.title")),
    h("p", { class: "help" }, t("device.intro")),
    themeLine(),
    noticeLine(),
    h("details", {}, h("summary", {}, t("device.keys")), keyEditor()),
  );
}

function line(id, label, help, control) {
  return h(
    "div",
    { class: "setting" },
    h("div", {}, h("label", { for: id }, label), h("p", { class: "help" }, help)),
    h("div", { class: "control" }, control),
  );
}

function themeLine() {
  const choices = THEMES.map((name) =>
    h("option", { value: name, selected: name === theme() }, t(`theme.${name || "auto"}`)),
  );
  const select = h("select", { id: "device-theme", data: { themeSwitch: "" } }, choices);
  select.addEventListener("change", () => setTheme(select.value));
  return line("device-theme", t("device.theme"), t("device.theme.help"), select);
}

function noticeLine() {
  const change = async (event) => {
    const box = event.currentTarget;
    box.checked = await setNotifies(box.checked);
    if (isDenied()) toast(t("device.notice.denied"), "wrong");
  };
  const box = h("input", {
    id: "device-notices",
    type: "checkbox",
    role: "switch",
    checked: notifies(),
    disabled: !canNotify() || isDenied(),
    onchange: change,
  });
  const help = !canNotify() ? "device.notice.none" : isDenied() ? "device.notice.denied" : "device.notice.help";
  return line("device-notices", t("device.notice"), t(help), h("label", { class: "switch" }, box));
}
