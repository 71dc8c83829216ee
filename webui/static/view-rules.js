// Rules: what to keep by ordered criteria, seen before it is decided, and taken back as a whole.

import { get, patch, post, remove } from "./api.js";
import { refreshFigures } from "./decisions.js";
import { h, icon, show } from "./dom.js";
import { confirmed, loadDestinations } from "./review-dialogs.js";
import { valueText } from "./review-facts.js";
import { criteriaList } from "./rules-criteria.js";
import { keepRule, keptRule } from "./rules-kept.js";
import { thumbnail } from "./pictures.js";
import { ago, bytes, errorText, number, safe, split, t } from "./text.js";
import { toast } from "./toast.js";

const KINDS = ["exact", "pixels", "near"];
const CHOICES = ["trash", "move", "link"];
const PREVIEW_MS = 350;

export async function render(main, { signal, go }) {
  document.title = `${t("nav.rules")} · ${t("app.name")}`;
  const [settings, roots, destinations, orders] = await Promise.all([
    get("/settings", { limit: 200 }, signal), get("/roots", { limit: 200 }, signal), loadDestinations(), get("/orders", { limit: 50 }, signal),
  ]);
  const given = settings.items.find(({ key }) => key === "sort.rules");
  const rule = { criteria: given?.value ?? [], kinds: [...KINDS], choice: "trash", ties: "ask", ...keptRule() };
  const preview = h("section", { class: "panel", "aria-live": "polite", "aria-label": t("rules.preview") });
  const kept = h("section", { class: "panel" });

  let timer = 0;
  let asking = null;
  const changed = () => {
    keepRule(rule);
    clearTimeout(timer);
    timer = setTimeout(update, PREVIEW_MS);
  };
  const update = async () => {
    asking?.abort();
    asking = new AbortController();
    const own = asking;
    preview.ariaBusy = "true";
    try {
      const found = await post("/rules/preview", asBody(rule), own.signal);
      if (!own.signal.aborted && !signal.aborted) drawPreview(preview, found, rule, apply);
    } catch (error) {
      if (error.name !== "AbortError") preview.replaceChildren(h("h2", {}, t("rules.preview")), h("p", { class: "wrong" }, errorText(error)));
    } finally {
      if (!own.signal.aborted) preview.ariaBusy = "false";
    }
  };
  signal.addEventListener("abort", () => { clearTimeout(timer); asking?.abort(); });
  const apply = async (found) => {
    const text = t("rules.confirm.text", { images: number(found.images), groups: number(found.groups), size: bytes(found.bytes) });
    if (!await confirmed(t("rules.confirm"), text, t("rules.apply"))) return;
    try {
      const made = await post("/rules/apply", asBody(rule));
      toast(t("rules.applied", { n: made.groups }), "good", [t("review.to_plan"), () => go("/plan")]);
      refreshFigures();
      await Promise.all([drawOrders(kept, (await get("/orders", { limit: 50 })).items), update()]);
    } catch (error) {
      toast(errorText(error), "wrong");
    }
  };

  show(main,
    h("header", { class: "page-head" }, h("div", {}, h("h1", {}, t("rules.title")), h("p", { class: "quiet" }, t("rules.intro")))),
    h("div", { class: "two" }, h("section", { class: "panel form", "aria-label": t("rules.title") }, form(rule, given?.choices ?? [], roots.items, destinations, changed)),
      h("div", { class: "stack" }, preview, kept)));
  drawOrders(kept, orders.items);
  await update();

  function drawOrders(place, items) {
    place.hidden = !items.length;
    place.replaceChildren(h("h2", {}, t("orders.title")), h("ul", { class: "batches" }, items.map((order) => h("li", {},
      h("div", {}, h("strong", {}, t("orders.line", { n: order.images })), h("small", {}, `${ago(order.created)} · ${bytes(order.bytes)}`)),
      h("span", { class: "quiet" }, order.open === 0 ? t("orders.carried_out") : ""),
      order.open === 0 ? null : h("button", { type: "button", class: "small", onclick: async () => {
        try {
          await remove(`/orders/${order.id}`);
          toast(t("orders.taken_back"));
          refreshFigures();
          await Promise.all([drawOrders(place, (await get("/orders", { limit: 50 })).items), update()]);
        } catch (error) {
          toast(errorText(error), "wrong");
        }
      } }, icon("undo", 15), t("orders.take_back"))))));
  }
}

// The body of a request: only what is said.
function asBody({ criteria, kinds, choice, destination, ties, keep, give_way: giveWay, root, path }) {
  const filter = { ...(root ? { root: Number(root) } : {}), ...(path ? { path } : {}) };
  return { criteria, kinds, choice, ties, ...(choice === "move" ? { destination } : {}),
    ...(keep && giveWay ? { folders: { keep, give_way: giveWay } } : {}), ...(Object.keys(filter).length ? { filter } : {}) };
}

// The form

function form(rule, known, roots, destinations, changed) {
  const set = (name) => (event) => { rule[name] = event.target.value.trim(); changed(); };
  const pill = (type, name, value, text, checked, change, title = "") => h("label", { title }, h("input", { type, name, value, checked, onchange: change }), h("span", {}, text));
  const destination = h("select", { "aria-label": t("rules.destination"), hidden: rule.choice !== "move", onchange: set("destination") },
    destinations.map(({ name, path }) => h("option", { value: name, selected: name === rule.destination }, `${safe(name)} – ${safe(path)}`)));
  const text = (name, label, help) => h("label", {}, label, h("input", { type: "text", value: rule[name] ?? "", spellcheck: "false", autocomplete: "off", list: "rule-folders", placeholder: help, onchange: set(name) }));
  return [
    h("fieldset", {}, h("legend", {}, t("rules.keep")), h("p", { class: "help" }, t("rules.keep.help")), criteriaList(rule, known, changed),
      h("button", { type: "button", class: "link keep-order", onclick: () => keepOrder(rule) }, t("rules.make_default"))),
    h("fieldset", {}, h("legend", {}, t("rules.kinds")), h("div", { class: "pills" }, KINDS.map((kind) =>
      pill("checkbox", "kinds", kind, t(`kind.${kind}`), rule.kinds.includes(kind), (event) => {
        rule.kinds = KINDS.filter((one) => (one === kind ? event.target.checked : rule.kinds.includes(one)));
        changed();
      }, t(`kind.${kind}.help`)))), h("p", { class: "help" }, t("rules.kinds.help"))),
    h("fieldset", {}, h("legend", {}, t("rules.others")), h("div", { class: "pills" }, CHOICES.map((choice) =>
      pill("radio", "choice", choice, t(`rules.choice.${choice}`), rule.choice === choice, () => {
        rule.choice = choice;
        destination.hidden = choice !== "move";
        if (choice === "move") rule.destination ??= destinations[0]?.name;
        changed();
      }))), destination, h("p", { class: "help" }, t("rules.others.help"))),
    h("fieldset", {}, h("legend", {}, t("rules.ties")), h("div", { class: "pills" }, ["ask", "decide"].map((ties) =>
      pill("radio", "ties", ties, t(`rules.ties.${ties}`), rule.ties === ties, () => { rule.ties = ties; changed(); }))), h("p", { class: "help" }, t("rules.ties.help"))),
    h("details", { open: Boolean(rule.keep || rule.give_way) }, h("summary", {}, t("rules.folders")), h("p", { class: "help" }, t("rules.folders.help")),
      h("div", { class: "fields" }, text("keep", t("rules.folders.keep"), "/photos/2019"), text("give_way", t("rules.folders.give_way"), "/backup/2019"))),
    h("details", { open: Boolean(rule.path || rule.root) }, h("summary", {}, t("rules.filter")), h("div", { class: "fields" },
      roots.length > 1 ? h("label", {}, t("groups.root"), h("select", { onchange: set("root") }, h("option", { value: "" }, t("groups.any_root")),
        roots.map((root) => h("option", { value: String(root.id), selected: String(root.id) === rule.root }, split(root.path).name || "/")))) : null,
      text("path", t("rules.filter.path"), "Phone"))),
    h("datalist", { id: "rule-folders" }, roots.map((root) => h("option", { value: root.path })))];
}

// The order that proposals are made by from now on, in the review as well.
async function keepOrder({ criteria }) {
  try {
    await patch("/settings", { "sort.rules": [...criteria, "path"] });
    toast(t("rules.made_default"));
  } catch (error) {
    toast(errorText(error), "wrong");
  }
}

// The preview

function drawPreview(place, found, rule, apply) {
  const most = Math.max(1, ...Object.values(found.by_criterion));
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  place.replaceChildren(...[
    h("div", { class: "panel-head" }, h("h2", {}, t("rules.preview")),
      h("button", { type: "button", class: "primary", disabled: !found.images, onclick: () => apply(found) }, icon("check"), t("rules.apply"))),
    h("dl", { class: "big" }, fact(t("rules.groups"), number(found.groups)), fact(t(`rules.images.${rule.choice}`), number(found.images)), fact(t("rules.bytes"), bytes(found.bytes))),
    found.undecided_ties ? h("p", { class: "notice" }, t("rules.tied", { n: found.undecided_ties })) : null,
    Object.keys(found.by_criterion).length ? [h("h3", {}, t("rules.decided_by")), h("ul", { class: "bars" }, Object.entries(found.by_criterion).sort(([, a], [, b]) => b - a)
      .map(([criterion, n]) => h("li", {}, h("span", {}, t(`criterion.${criterion}`)), h("span", { class: "track" }, h("i", { style: { width: `${(100 * n) / most}%` } })), h("span", { class: "n" }, number(n)))))] : null,
    found.sample.length ? [h("h3", {}, t("rules.sample")), h("ul", { class: "samples" }, found.sample.slice(0, 8).map((one) => sampleLine(one, rule.choice)))]
      : h("p", { class: "quiet" }, t("rules.nothing"))].flat().filter(Boolean));
}

// The pictures of a sample come with its group, when it is shown.
function sampleLine({ group, keeper, victims, decided_by: criterion, value }, choice) {
  const thumbs = h("span", { class: "thumbs" });
  get(`/groups/${encodeURIComponent(group)}`).then(({ images: { items } }) => {
    const wanted = [keeper, ...victims].map(({ id }) => id);
    thumbs.replaceChildren(...wanted.slice(0, 4).map((id) => items.find((image) => image.id === id)).filter(Boolean).map((image, place) =>
      h("figure", {}, thumbnail(image), h("span", { class: `mark mark-${place ? choice : "keep"}` }, icon(place ? choice : "check", 12)))));
  }).catch(() => {});
  return h("li", {}, h("a", { href: `/groups/${group}` }, thumbs, h("span", {}, h("strong", {}, split(keeper.path).name),
    h("small", { class: "quiet" }, criterion ? t(`because.${criterion}`, { value: valueText(criterion, value) }) : ""))));
}
