// What the list of groups shows, and in which order: kinds, names, decisions, folders, dates.

import { h, icon } from "../core/dom.js";
import { day, number, split, t } from "../core/text.js";

const KINDS = ["exact", "pixels", "near", "possible"];
const SORTS = ["reclaimable", "size", "date", "confidence"];
export const DECIDED = { open: "none,partly", done: "fully" };

export function kindFilter(kinds, chosen, change) {
  const all = Object.values(kinds).reduce((sum, n) => sum + n, 0);
  const button = (kind, n) =>
    h(
      "button",
      {
        type: "button",
        class: `tab kind-${kind || "all"}`,
        data: { keep: `kind-${kind}` },
        "aria-pressed": String((chosen ?? "") === kind),
        title: kind ? t(`kind.${kind}.help`) : "",
        onclick: () => change({ kind }),
      },
      kind ? t(`kind.${kind}`) : t("kind.all"),
      h("span", { class: "n" }, number(n)),
    );
  return h(
    "div",
    { class: "tabs", role: "group", "aria-label": t("groups.by_kind") },
    button("", all),
    KINDS.filter((kind) => kinds[kind]).map((kind) => button(kind, kinds[kind])),
  );
}

// `selectAll` selects the whole list, null if it has no group.
export function tools(chosen, roots, change, selectAll) {
  const order = chosen.order ?? "desc";
  const search = h("input", {
    type: "search",
    value: chosen.path ?? "",
    placeholder: t("groups.search"),
    "aria-label": t("groups.search"),
    autocomplete: "off",
    spellcheck: "false",
    data: { keep: "search" },
  });
  return h(
    "form",
    {
      class: "tools",
      role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        change({ path: search.value.trim() });
      },
    },
    h("span", { class: "search" }, icon("search", 16), search),
    h(
      "select",
      {
        data: { keep: "decided" },
        "aria-label": t("groups.decided"),
        onchange: (event) => change({ decided: event.target.value }),
      },
      [
        ["", "any"],
        [DECIDED.open, "open"],
        [DECIDED.done, "done"],
      ].map(([value, word]) =>
        h("option", { value, selected: value === (chosen.decided ?? "") }, t(`decided.${word}`)),
      ),
    ),
    roots.length > 1
      ? h(
          "select",
          {
            data: { keep: "root" },
            "aria-label": t("groups.root"),
            onchange: (event) => change({ root: event.target.value }),
          },
          h("option", { value: "" }, t("groups.any_root")),
          roots.map((root) =>
            h(
              "option",
              { value: String(root.id), selected: String(root.id) === chosen.root },
              split(root.path).name || "/",
            ),
          ),
        )
      : null,
    dates(chosen, change),
    h(
      "select",
      {
        data: { keep: "sort" },
        "aria-label": t("groups.sort"),
        onchange: (event) => change({ sort: event.target.value }),
      },
      SORTS.map((sort) =>
        h("option", { value: sort, selected: sort === (chosen.sort ?? "reclaimable") }, t(`sort.${sort}`)),
      ),
    ),
    h(
      "button",
      {
        type: "button",
        class: "square",
        data: { keep: "order" },
        title: t(`order.${order}`),
        "aria-label": t(`order.${order}`),
        onclick: () => change({ order: order === "desc" ? "asc" : "" }),
      },
      order === "desc" ? "↓" : "↑",
    ),
    selectAll
      ? h(
          "button",
          { type: "button", data: { keep: "all" }, title: t("select.whole.help"), onclick: selectAll },
          t("select.whole"),
        )
      : null,
  );
}

// The days between which an image of the group was taken, behind a button that names them.
function dates({ since, until }, change) {
  const field = (name, value) => {
    const input = h("input", { type: "date", value: value ?? "", data: { keep: name } });
    // Not at every key: a year that is being typed is no filter yet.
    const take = () => input.value !== (value ?? "") && change({ [name]: input.value });
    input.addEventListener("change", () => document.activeElement !== input && take());
    input.addEventListener("blur", take);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        take();
      }
    });
    return h("label", {}, t(`groups.${name}`), input);
  };
  const shown = since || until ? `${since ? day(since) : "…"} – ${until ? day(until) : "…"}` : t("groups.dates");
  return h(
    "details",
    { class: "dates", open: false },
    h("summary", { class: "button", data: { keep: "dates" }, title: t("groups.dates.help") }, shown),
    h(
      "div",
      { class: "dates-fields" },
      field("since", since),
      field("until", until),
      h("p", { class: "help" }, t("groups.dates.help")),
      since || until
        ? h(
            "button",
            { type: "button", class: "small", onclick: () => change({ since: "", until: "" }) },
            t("groups.dates.any"),
          )
        : null,
    ),
  );
}
