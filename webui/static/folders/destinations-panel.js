// The destinations that images can be moved to, with buttons that add and forget them.

import { toast } from "../components/toast.js";
import { get, remove } from "../core/api.js";
import { h, icon } from "../core/dom.js";
import { publish } from "../core/store.js";
import { errorText, safe, t } from "../core/text.js";
import { newDestination } from "./destination-dialog.js";

export async function destinationsPanel() {
  const list = h("ul", { class: "destinations" });
  const draw = async () => {
    const { items } = await get("/destinations");
    publish("destinations", items);
    list.replaceChildren(...items.map((item) => line(item, draw)));
    list.hidden = !items.length;
  };
  await draw();
  return h(
    "section",
    { class: "panel" },
    h(
      "div",
      { class: "panel-head" },
      h("div", {}, h("h2", {}, t("destination.title")), h("p", { class: "quiet" }, t("destination.intro"))),
      h(
        "button",
        {
          type: "button",
          onclick: async () => {
            if (await newDestination()) await draw();
          },
        },
        icon("plus", 16),
        t("destination.new_folder"),
      ),
    ),
    list,
  );
}

const line = (item, redraw) =>
  h(
    "li",
    {},
    h(
      "div",
      {},
      h("strong", {}, safe(item.name)),
      h("small", {}, safe(item.path), item.exists ? "" : ` – ${t("destination.missing")}`),
    ),
    item.origin === "file"
      ? h("span", { class: "chip" }, t("root.origin.file"))
      : h(
          "button",
          {
            type: "button",
            class: "plain",
            title: t("destination.forget", { name: item.name }),
            "aria-label": t("destination.forget", { name: item.name }),
            onclick: async () => {
              try {
                await remove(`/destinations/${encodeURIComponent(item.name)}`);
                await redraw();
              } catch (error) {
                toast(errorText(error), "wrong");
              }
            },
          },
          icon("close", 16),
        ),
  );
