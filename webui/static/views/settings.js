// Settings: those that can be changed while the service runs, and the others, read-only.

import { toast } from "../components/toast.js";
import { get, patch, post } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { errorText, has, t } from "../core/text.js";
import { METHODS } from "../jobs/detect-dialog.js";
import { devicePanel } from "./device.js";

// The formats of the result, each with its file name.
const RESULTS = [
  ["json", "duplicates.json"],
  ["csv", "duplicates.csv"],
  ["text", "duplicates.txt"],
];

export async function render(main, { signal }) {
  document.title = `${t("nav.settings")} · ${t("app.name")}`;
  const [{ items }, status] = await Promise.all([get("/settings", { limit: 200 }, signal), get("/status", {}, signal)]);
  const place = h("div", { class: "settings" });
  draw(place, items);
  show(
    main,
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("settings.title")), h("p", { class: "quiet" }, t("settings.intro"))),
    ),
    h("div", { class: "settings" }, devicePanel()),
    place,
    h(
      "footer",
      { class: "about quiet" },
      h(
        "span",
        {},
        [`${t("app.name")} ${status.version}`, ...Object.entries(status.components).map((part) => part.join(" "))].join(
          ", ",
        ),
      ),
      h("a", { href: "/api" }, t("api.title")),
      h(
        "span",
        {},
        `${t("settings.result_file")} `,
        RESULTS.flatMap(([format, name]) => [
          " ",
          h("a", { href: `/api/v1/duplicates?format=${format}`, download: name }, t(`settings.result.${format}`)),
        ]),
      ),
    ),
  );
}

function draw(place, all) {
  const items = all.filter((item) => item.live);
  const fixed = all.filter((item) => !item.live);
  const sections = Map.groupBy
    ? Map.groupBy(items, (item) => item.key.split(".")[0])
    : items.reduce(
        (all, item) => all.set(item.key.split(".")[0], [...(all.get(item.key.split(".")[0]) ?? []), item]),
        new Map(),
      );
  place.replaceChildren(
    ...[...sections].map(([section, settings]) =>
      h(
        "section",
        { class: "panel" },
        h("h2", {}, has(`section.${section}`) ? t(`section.${section}`) : section),
        settings.map((setting) =>
          line(setting, async (value) => {
            try {
              const { items: changed } = await patch("/settings", { [setting.key]: value });
              toast(t("settings.saved"));
              draw(place, changed);
            } catch (error) {
              toast(errorText(error), "wrong");
              draw(place, all);
            }
          }),
        ),
      ),
    ),
    fixed.length
      ? h(
          "details",
          { class: "panel" },
          h("summary", {}, t("settings.fixed")),
          h(
            "dl",
            { class: "facts" },
            fixed.map((item) => [
              h("dt", { title: item.help }, h("code", {}, item.key)),
              h(
                "dd",
                {},
                valueText(item.value),
                " ",
                h("small", { class: "quiet" }, t(`settings.origin.${item.origin}`)),
              ),
            ]),
          ),
          h("button", { type: "button", onclick: tryNotices }, t("settings.notify_test")),
        )
      : "",
  );
}

async function tryNotices() {
  try {
    const { arrived, failed } = await post("/notices/test", {});
    const bad = Object.entries(failed);
    toast(
      bad.length
        ? bad.map(([name, why]) => `${name}: ${why}`).join("; ")
        : t("settings.notify_arrived", { by: arrived.join(", ") }),
      bad.length ? "wrong" : "good",
    );
  } catch (error) {
    toast(errorText(error), "wrong");
  }
}

const valueText = (value) =>
  value === null || value === "" ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);

function line(setting, change) {
  const id = `setting-${setting.key.replaceAll(".", "-")}`;
  const label = has(`setting.${setting.key}`) ? t(`setting.${setting.key}`) : setting.key;
  const help = has(`setting.${setting.key}.help`) ? t(`setting.${setting.key}.help`) : setting.help;
  return h(
    "div",
    { class: "setting" },
    h(
      "div",
      {},
      h("label", { for: id }, label),
      h("p", { class: "help" }, help),
      h("p", { class: "help" }, h("code", {}, setting.key), " · ", t(`settings.origin.${setting.origin}`)),
    ),
    h(
      "div",
      { class: "control" },
      control(setting, id, change),
      setting.origin === "override"
        ? h(
            "button",
            {
              class: "plain",
              type: "button",
              title: t("settings.reset"),
              "aria-label": t("settings.reset"),
              onclick: () => change(null),
            },
            icon("refresh", 16),
          )
        : null,
    ),
  );
}

function control(setting, id, change) {
  const { value, type } = setting;
  if (type === "bool" || typeof value === "boolean") {
    return h(
      "label",
      { class: "switch" },
      h("input", {
        id,
        type: "checkbox",
        role: "switch",
        checked: value,
        onchange: (event) => change(event.target.checked),
      }),
    );
  }
  if (setting.key === "sort.rules") return h("a", { id, class: "button", href: "/rules" }, t("settings.rules"));
  if (setting.choices.length) {
    return h(
      "select",
      { id, onchange: (event) => change(setting.choices[event.target.selectedIndex]) },
      setting.choices.map((choice) => h("option", { selected: choice === value }, choiceText(choice))),
    );
  }
  if (typeof value === "number") {
    return h("input", {
      id,
      type: "number",
      value: String(value),
      min: bound(setting.minimum),
      max: bound(setting.maximum),
      step: Number.isInteger(value) ? "1" : "any",
      onchange: (event) => change(event.target.valueAsNumber),
    });
  }
  const plain = value === null || typeof value === "string";
  return h("input", {
    id,
    type: "text",
    value: plain ? (value ?? "") : JSON.stringify(value),
    placeholder: setting.accepted,
    spellcheck: "false",
    onchange: (event) => {
      if (plain) {
        change(event.target.value);
        return;
      }
      try {
        change(JSON.parse(event.target.value));
      } catch {
        toast(t("settings.invalid"), "wrong");
      }
    },
  });
}

function choiceText(choice) {
  if (choice === "") return t("choice.none");
  // The methods have the same names as in the dialog of a search.
  const name = [`choice.${choice}`, `method.${METHODS[choice]}`].find(has);
  return name ? t(name) : String(choice);
}

const bound = (value) => (value === null ? undefined : String(value));
