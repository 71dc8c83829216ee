// Adding and changing a watched folder, and the question of the first start.

import { patch, post, remove } from "../core/api.js";
import { toast } from "../components/toast.js";
import { h, icon } from "../core/dom.js";
import { loadRoots } from "../core/live.js";
import { errorText, safe, t } from "../core/text.js";
import { confirmed } from "../review/dialogs.js";
import { folderField } from "./folder-field.js";

// Asks for a folder to watch, and how; resolves to the folder, or null if cancelled.
export function addRoot() {
  const field = folderField({ id: "new-root", label: t("root.path") });
  return edit(t("root.add.title"), t("root.add"), field, null, (values) =>
    post("/roots", { path: field.value(), ...values }),
  );
}

// Changes how a folder is watched; resolves to the folder, or null if cancelled.
export const changeRoot = (root) =>
  edit(t("root.change.title"), t("action.save"), null, root, (values) => patch(`/roots/${root.id}`, values));

// Stops watching a folder that was added on the page; resolves to whether it was done.
export async function removeRoot(root) {
  const text = t("root.remove.text", { path: safe(root.path), n: root.images });
  if (!(await confirmed(t("root.remove.title"), text, t("root.remove")))) return false;
  try {
    await remove(`/roots/${root.id}`);
    await loadRoots();
    toast(t("root.removed"));
    return true;
  } catch (error) {
    toast(errorText(error), "wrong");
    return false;
  }
}

// What a page shows where no folder is watched yet: the question, with the folders of the server.
export function firstFolder(go) {
  const field = folderField({ id: "first-root", label: t("root.path") });
  const submit = async (event) => {
    event.preventDefault();
    try {
      const answer = await post("/roots", { path: field.value() });
      await loadRoots();
      if (answer.warning) await warn(answer);
      await go("/");
    } catch (error) {
      field.refuse(error);
    }
  };
  return h(
    "form",
    { class: "panel first-folder", onsubmit: submit },
    h("h1", {}, t("first.title")),
    h("p", { class: "quiet" }, t("first.text")),
    field.element,
    h("footer", {}, h("button", { class: "primary" }, icon("folder"), t("root.add"))),
  );
}

function edit(title, action, field, root, save) {
  return new Promise((resolve) => {
    const form = h(
      "form",
      { method: "dialog" },
      h(
        "header",
        {},
        h("h2", {}, title),
        h(
          "button",
          { class: "plain", value: "cancel", formnovalidate: true, "aria-label": t("action.close") },
          icon("close"),
        ),
      ),
      field ? field.element : h("p", { class: "where" }, safe(root.path)),
      check("recursive", t("root.recursive"), root?.recursive ?? true),
      check(
        "protected",
        t("root.protect"),
        root?.protected ?? false,
        protectionHelp(root?.protected_by),
        ["file", "marker"].includes(root?.protected_by),
      ),
      h(
        "details",
        { open: Boolean(root && (root.exclude.length || root.priority || root.wanted_mode !== "auto")) },
        h("summary", {}, t("root.more")),
        labelled(
          "exclude",
          t("root.exclude"),
          h(
            "textarea",
            { id: "root-exclude", name: "exclude", rows: 3, spellcheck: "false", placeholder: "*.tmp" },
            root ? root.exclude.join("\n") : "",
          ),
          t("root.exclude.help"),
        ),
        labelled(
          "priority",
          t("root.priority"),
          h("input", {
            id: "root-priority",
            type: "number",
            name: "priority",
            min: "-1000",
            max: "1000",
            step: "1",
            value: String(root?.priority ?? 0),
          }),
          t("root.priority.help"),
        ),
        labelled(
          "mode",
          t("root.watch"),
          h(
            "select",
            { id: "root-mode", name: "mode" },
            ["auto", "native", "poll"].map((mode) =>
              h("option", { value: mode, selected: mode === (root?.wanted_mode ?? "auto") }, t(`root.mode.${mode}`)),
            ),
          ),
          t("root.mode.help"),
        ),
        root?.changed.length
          ? h(
              "p",
              { class: "help" },
              t("root.reset.help"),
              " ",
              h("button", { class: "link", value: "reset", formnovalidate: true }, t("root.reset")),
            )
          : null,
      ),
      field ? null : h("p", { class: "notice wrong", role: "alert", hidden: true, data: { refused: "" } }),
      h(
        "footer",
        {},
        h("button", { class: "plain-text", value: "cancel", formnovalidate: true }, t("action.cancel")),
        h("button", { class: "primary", value: "save" }, action),
      ),
    );
    const dialog = h("dialog", { class: "sheet", "aria-label": title }, form);
    let saved = null;
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(saved);
    });
    form.addEventListener("submit", async (event) => {
      if (event.submitter?.value === "cancel") return;
      // The dialog stays open until the service has accepted: what was typed is not lost.
      event.preventDefault();
      try {
        const answer = await save(event.submitter?.value === "reset" ? nothing(root.changed) : valuesOf(form, root));
        await loadRoots();
        saved = answer.root;
        dialog.close();
        if (answer.warning) await warn(answer);
      } catch (error) {
        if (field) {
          field.refuse(error);
          return;
        }
        const refused = form.querySelector("[data-refused]");
        refused.textContent = errorText(error);
        refused.hidden = false;
        refused.scrollIntoView({ block: "nearest" });
      }
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

const nothing = (names) => Object.fromEntries(names.map((name) => [name, null]));

// What was chosen, and of a folder that is watched already only what differs.
function valuesOf(form, root) {
  const { recursive, protected: shield, exclude, priority, mode } = form.elements;
  const values = {
    recursive: recursive.checked,
    protected: shield.checked,
    exclude: exclude.value
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean),
    priority: Number.isInteger(priority.valueAsNumber) ? priority.valueAsNumber : 0,
    mode: mode.value,
  };
  if (!root) return values;
  const before = { ...root, mode: root.wanted_mode };
  return Object.fromEntries(
    Object.entries(values).filter(([name, value]) => JSON.stringify(before[name]) !== JSON.stringify(value)),
  );
}

// The service cannot change files here: reported at once, with what to do.
const warn = ({ warning, remedy }) =>
  new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "sheet small-sheet", "aria-label": t("root.warning") },
      h(
        "form",
        { method: "dialog" },
        h("header", {}, h("h2", {}, t("root.warning"))),
        h("p", {}, warning),
        h("p", { class: "notice" }, remedy),
        h("footer", {}, h("button", { class: "primary", autofocus: true }, t("action.understood"))),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });

function protectionHelp(by) {
  if (by === "file") return t("root.protect.by_file");
  return by === "marker" ? t("root.protect.by_marker") : t("root.protect.help");
}

function check(name, label, checked, help, disabled = false) {
  return h(
    "label",
    { class: "check" },
    h("input", { type: "checkbox", name, checked, disabled }),
    h("span", {}, label, help ? h("small", {}, help) : null),
  );
}

const labelled = (name, label, control, help) =>
  h("div", { class: "labelled" }, h("label", { for: `root-${name}` }, label), control, h("p", { class: "help" }, help));
