// The form of a rule: what to keep, of which groups, and what happens to the others.

import { toast } from "../components/toast.js";
import { patch } from "../core/api.js";
import { h } from "../core/dom.js";
import { errorText, safe, split, t } from "../core/text.js";
import { newDestination } from "../folders/destination-dialog.js";
import { loadDestinations } from "../review/dialogs.js";
import { criteriaList } from "./criteria.js";

const KINDS = ["exact", "pixels", "near"];
const CHOICES = ["trash", "move", "link"];

// Edits `rule` in place and calls `changed` after each change. `allowed` are the criteria that can be added.
export function ruleForm(rule, allowed, roots, destinations, changed) {
  const set = (name) => (event) => {
    rule[name] = event.target.value.trim();
    changed();
  };
  const pill = (type, name, value, text, checked, change, title = "", disabled = false) =>
    h("label", { title }, h("input", { type, name, value, checked, disabled, onchange: change }), h("span", {}, text));
  const destination = h("select", {
    "aria-label": t("rules.destination"),
    hidden: rule.choice !== "move",
    onchange: async (event) => {
      if (event.target.value) rule.destination = event.target.value;
      else await makeDestination();
      changed();
    },
  });
  const drawDestinations = (items) =>
    destination.replaceChildren(
      ...items.map(({ name, path }) =>
        h("option", { value: name, selected: name === rule.destination }, `${safe(name)} – ${safe(path)}`),
      ),
      h("option", { value: "" }, t("destination.new_folder")),
    );
  drawDestinations(destinations);
  const makeDestination = async () => {
    rule.destination = (await newDestination()) ?? rule.destination;
    drawDestinations(await loadDestinations());
  };
  const text = (name, label, help) =>
    h(
      "label",
      {},
      label,
      h("input", {
        type: "text",
        value: rule[name] ?? "",
        spellcheck: "false",
        autocomplete: "off",
        list: "rule-folders",
        placeholder: help,
        onchange: set(name),
      }),
    );
  return [
    h(
      "fieldset",
      {},
      h("legend", {}, t("rules.keep")),
      h("p", { class: "help" }, t("rules.keep.help")),
      criteriaList(rule, allowed, changed),
      h(
        "button",
        { type: "button", class: "link keep-order", onclick: () => keepOrder(rule) },
        t("rules.make_default"),
      ),
    ),
    h(
      "fieldset",
      {},
      h("legend", {}, t("rules.kinds")),
      h(
        "div",
        { class: "pills" },
        KINDS.map((kind) =>
          pill(
            "checkbox",
            "kinds",
            kind,
            t(`kind.${kind}`),
            rule.kinds.includes(kind),
            (event) => {
              rule.kinds = KINDS.filter((name) => (name === kind ? event.target.checked : rule.kinds.includes(name)));
              changed();
            },
            t(`kind.${kind}.help`),
          ),
        ),
      ),
      h("p", { class: "help" }, t("rules.kinds.help")),
    ),
    h(
      "fieldset",
      {},
      h("legend", {}, t("rules.others")),
      h(
        "div",
        { class: "pills" },
        CHOICES.map((choice) =>
          pill("radio", "choice", choice, t(`rules.choice.${choice}`), rule.choice === choice, async () => {
            const before = rule.choice;
            if (choice === "move" && !rule.destination) await makeDestination();
            if (choice === "move" && !rule.destination) {
              document.querySelector(`input[name=choice][value=${before}]`).checked = true;
              return;
            }
            rule.choice = choice;
            destination.hidden = choice !== "move";
            changed();
          }),
        ),
      ),
      destination,
      h("p", { class: "help" }, t("rules.others.help")),
    ),
    h(
      "fieldset",
      {},
      h("legend", {}, t("rules.ties")),
      h(
        "div",
        { class: "pills" },
        ["ask", "decide"].map((ties) =>
          pill("radio", "ties", ties, t(`rules.ties.${ties}`), rule.ties === ties, () => {
            rule.ties = ties;
            changed();
          }),
        ),
      ),
      h("p", { class: "help" }, t("rules.ties.help")),
    ),
    h(
      "label",
      { class: "check" },
      h("input", {
        type: "checkbox",
        checked: Boolean(rule.trashed_before),
        onchange: (event) => {
          rule.trashed_before = event.target.checked;
          changed();
        },
      }),
      h("span", {}, t("rules.trashed_before"), h("small", {}, t("rules.trashed_before.help"))),
    ),
    h(
      "details",
      { open: Boolean(rule.keep || rule.give_way) },
      h("summary", {}, t("rules.folders")),
      h("p", { class: "help" }, t("rules.folders.help")),
      h(
        "div",
        { class: "fields" },
        text("keep", t("rules.folders.keep"), "/photos/2019"),
        text("give_way", t("rules.folders.give_way"), "/backup/2019"),
      ),
    ),
    h(
      "details",
      { open: Boolean(rule.path || rule.root) },
      h("summary", {}, t("rules.filter")),
      h(
        "div",
        { class: "fields" },
        roots.length > 1
          ? h(
              "label",
              {},
              t("groups.root"),
              h(
                "select",
                { onchange: set("root") },
                h("option", { value: "" }, t("groups.any_root")),
                roots.map((root) =>
                  h(
                    "option",
                    { value: String(root.id), selected: String(root.id) === rule.root },
                    split(root.path).name || "/",
                  ),
                ),
              ),
            )
          : null,
        text("path", t("rules.filter.path"), "Phone"),
      ),
    ),
    h(
      "datalist",
      { id: "rule-folders" },
      roots.map((root) => h("option", { value: root.path })),
    ),
  ];
}

// Makes this order the setting for all proposals.
async function keepOrder({ criteria }) {
  try {
    await patch("/settings", { "sort.rules": [...criteria, "path"] });
    toast(t("rules.made_default"));
  } catch (error) {
    toast(errorText(error), "wrong");
  }
}
