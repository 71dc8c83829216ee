// A new destination: a name and a folder, which is created where it is missing.

import { post } from "../core/api.js";
import { h, icon } from "../core/dom.js";
import { publish } from "../core/store.js";
import { t } from "../core/text.js";
import { toast } from "../components/toast.js";
import { folderField } from "./folder-field.js";

// Resolves to the name of the new destination, null if cancelled.
export function newDestination() {
  return new Promise((resolve) => {
    const field = folderField({ id: "new-destination", label: t("destination.path") });
    const name = h("input", { type: "text", id: "destination-name", name: "name", required: true, maxlength: "100" });
    let named = false;
    name.addEventListener("input", () => (named = name.value !== ""));
    // The name follows the folder until one is typed.
    field.element.addEventListener("input", () => suggest());
    field.element.addEventListener("click", () => suggest());
    const suggest = () => {
      if (!named) name.value = field.input.value.replace(/\/+$/, "").split("/").pop();
    };
    const form = h(
      "form",
      { method: "dialog" },
      h(
        "header",
        {},
        h("h2", {}, t("destination.new")),
        h(
          "button",
          { class: "plain", value: "cancel", formnovalidate: true, "aria-label": t("action.close") },
          icon("close"),
        ),
      ),
      h("p", { class: "help" }, t("destination.help")),
      field.element,
      h("div", { class: "labelled" }, h("label", { for: "destination-name" }, t("destination.name")), name),
      h(
        "footer",
        {},
        h("button", { class: "plain-text", value: "cancel", formnovalidate: true }, t("action.cancel")),
        h("button", { class: "primary", value: "save" }, t("destination.create")),
      ),
    );
    const dialog = h("dialog", { class: "sheet", "aria-label": t("destination.new") }, form);
    let created = null;
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(created);
    });
    // The keys of the review behind it are not meant.
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    form.addEventListener("submit", async (event) => {
      if (event.submitter?.value === "cancel") return;
      event.preventDefault();
      try {
        const body = { name: name.value.trim(), path: field.value(), create: true };
        const { destination, warning, remedy } = await post("/destinations", body);
        created = destination.name;
        publish("destinations", null);
        if (warning) toast(`${warning} ${remedy}`, "wrong");
        dialog.close();
      } catch (error) {
        field.refuse(error);
      }
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
