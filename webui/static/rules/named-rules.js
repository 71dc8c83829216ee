// The rules that are saved under a name: each can be edited again, run after each search, and deleted.

import { toast } from "../components/toast.js";
import { get, patch, post, remove } from "../core/api.js";
import { h, icon } from "../core/dom.js";
import { errorText, safe, t } from "../core/text.js";

const EQUAL = ["exact", "pixels"];
const isBeyond = ({ kinds }) => kinds.some((kind) => !EQUAL.includes(kind));

// `use` loads a rule into the form. Returns the panel, and `save(rule)`, which asks for a name.
export function namedRules(use) {
  const panel = h("section", { class: "panel", hidden: true, "aria-label": t("saved.title") });

  async function load() {
    const { items } = await get("/named-rules");
    panel.hidden = !items.length;
    panel.replaceChildren(h("h2", {}, t("saved.title")), h("ul", { class: "batches" }, items.map(line)));
  }

  async function change(action, done) {
    try {
      await action();
      if (done) toast(done);
    } catch (error) {
      toast(errorText(error), "wrong");
    }
    await load().catch(() => {});
  }

  function line(named) {
    const runs = h("input", {
      type: "checkbox",
      checked: named.after_detection,
      onchange: async () => {
        const beyond = isBeyond(named.rule);
        // Matches that are not proven equal are decided automatically only if the user allows it.
        const allowed = !runs.checked || !beyond || (await askBeyond());
        if (!allowed) runs.checked = false;
        else
          change(() =>
            patch(`/named-rules/${named.id}`, { after_detection: runs.checked, beyond_equal: runs.checked && beyond }),
          );
      },
    });
    return h(
      "li",
      { class: "saved-rule" },
      h(
        "div",
        {},
        h("strong", {}, safe(named.name)),
        h("label", { class: "check" }, runs, h("span", {}, t("saved.runs"), h("small", {}, t("saved.runs.help")))),
      ),
      h("button", { type: "button", class: "small", onclick: () => use(named.rule) }, t("saved.use")),
      h(
        "button",
        {
          type: "button",
          class: "plain",
          title: t("saved.remove", { name: safe(named.name) }),
          "aria-label": t("saved.remove", { name: safe(named.name) }),
          onclick: () => change(() => remove(`/named-rules/${named.id}`), t("saved.removed")),
        },
        icon("trash", 16),
      ),
    );
  }

  async function save(rule) {
    const named = await askName(isBeyond(rule));
    if (named)
      await change(() => post("/named-rules", { ...named, rule }), t("saved.done", { name: safe(named.name) }));
  }

  return { panel, load, save };
}

const check = (input, text, help) =>
  h("label", { class: "check" }, input, h("span", {}, text, help ? h("small", {}, help) : null));

// Asks for the name of a rule. Resolves to {name, after_detection, beyond_equal}, null if cancelled.
function askName(beyond) {
  const name = h("input", { name: "name", required: true, maxlength: 100, autofocus: true, autocomplete: "off" });
  const runs = h("input", { type: "checkbox" });
  const allow = h("input", { type: "checkbox" });
  const allowing = check(allow, t("saved.beyond"), t("saved.beyond.help"));
  allowing.hidden = true;
  runs.addEventListener("change", () => {
    allowing.hidden = !(beyond && runs.checked);
    allow.required = !allowing.hidden;
  });
  return askForm(
    t("saved.save"),
    [
      h("label", { class: "labelled" }, t("saved.name"), name),
      check(runs, t("saved.runs"), t("saved.runs.help")),
      allowing,
    ],
    t("saved.save.do"),
    () => ({ name: name.value.trim(), after_detection: runs.checked, beyond_equal: runs.checked && allow.checked }),
  );
}

const askBeyond = () =>
  askForm(t("saved.beyond"), [h("p", {}, t("saved.beyond.help"))], t("saved.beyond.do"), () => true);

function askForm(title, fields, action, answer) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "sheet small-sheet", "aria-label": title },
      h(
        "form",
        { method: "dialog" },
        h("header", {}, h("h2", {}, title)),
        fields,
        h(
          "footer",
          {},
          h("button", { type: "button", class: "plain-text", onclick: () => dialog.close("") }, t("action.cancel")),
          h("button", { class: "primary", value: "yes" }, action),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes" ? answer() : null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// What a rule decided after the last search, above the list, with a button to undo it; empty once dismissed.
export async function standingNotice(signal, reload) {
  const place = h("div", { class: "standing" });
  const { items } = await get("/orders", { limit: 1 }, signal);
  const [run] = items;
  if (!run?.rule.name || !run.open || localStorage.getItem(SEEN_KEY) === String(run.id)) return place;
  const dismiss = () => {
    localStorage.setItem(SEEN_KEY, String(run.id));
    place.replaceChildren();
  };
  const undo = async () => {
    try {
      await remove(`/orders/${run.id}`);
      toast(t("saved.undone", { name: safe(run.rule.name) }));
      reload();
    } catch (error) {
      toast(errorText(error), "wrong");
    }
  };
  place.append(
    h(
      "p",
      { class: "notice temporary", role: "status" },
      t("saved.decided", { name: safe(run.rule.name), n: run.groups }),
      h(
        "span",
        { class: "buttons" },
        h("button", { type: "button", class: "small", onclick: undo }, icon("undo", 15), t("action.undo")),
        h(
          "button",
          {
            type: "button",
            class: "plain",
            "aria-label": t("action.close"),
            title: t("action.close"),
            onclick: dismiss,
          },
          icon("close", 15),
        ),
      ),
    ),
  );
  return place;
}

const SEEN_KEY = "comparimg-seen-rule-run";
