// Rules: what to keep by ordered criteria. A rule is previewed, applied, and can be revoked as a whole.

import { thumbnail } from "../components/pictures.js";
import { toast } from "../components/toast.js";
import { get, patch, post, remove } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { ago, bytes, errorText, number, safe, split, t } from "../core/text.js";
import { newDestination } from "../folders/destination-dialog.js";
import { refreshFigures } from "../review/decisions.js";
import { confirmed, loadDestinations } from "../review/dialogs.js";
import { valueText } from "../review/facts.js";
import { criteriaList } from "../rules/criteria.js";
import { storeDraft, loadDraft } from "../rules/draft.js";
import { namedRules } from "../rules/named-rules.js";

const KINDS = ["exact", "pixels", "near"];
// What a rule decides until a person widens it: equality is proven.
const PROVEN = ["exact", "pixels"];
const CHOICES = ["trash", "move", "link"];
const PREVIEW_MS = 350;
const SHOWN_SAMPLES = 6;

export async function render(main, { signal, go }) {
  document.title = `${t("nav.rules")} · ${t("app.name")}`;
  const [settings, roots, destinations, runs] = await Promise.all([
    get("/settings", { limit: 200 }, signal),
    get("/roots", { limit: 200 }, signal),
    loadDestinations(),
    get("/orders", { limit: 50 }, signal),
  ]);
  const given = settings.items.find(({ key }) => key === "sort.rules");
  const rule = { criteria: given?.value ?? [], kinds: [...PROVEN], choice: "trash", ties: "ask", ...loadDraft() };
  // A draft may name a destination that is gone.
  if (!destinations.some(({ name }) => name === rule.destination)) rule.destination = destinations[0]?.name;
  if (rule.choice === "move" && !rule.destination) rule.choice = "trash";
  const preview = h("section", { class: "panel", "aria-live": "polite", "aria-label": t("rules.preview") });
  const kept = h("section", { class: "panel" });
  const named = namedRules((saved) => {
    storeDraft(asDraft(saved));
    go("/rules", { replace: true });
  });

  let timer = 0;
  let asking = null;
  const changed = () => {
    storeDraft(rule);
    clearTimeout(timer);
    timer = setTimeout(update, PREVIEW_MS);
  };
  const update = async () => {
    asking?.abort();
    asking = new AbortController();
    const request = asking;
    preview.ariaBusy = "true";
    try {
      const result = await post("/rules/preview", asBody(rule), request.signal);
      if (!request.signal.aborted && !signal.aborted)
        drawPreview(preview, result, rule, apply, () => named.save(asBody(rule)));
    } catch (error) {
      if (error.name !== "AbortError")
        preview.replaceChildren(h("h2", {}, t("rules.preview")), h("p", { class: "wrong" }, errorText(error)));
    } finally {
      if (!request.signal.aborted) preview.ariaBusy = "false";
    }
  };
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    asking?.abort();
  });
  const apply = async (result) => {
    const text = t("rules.confirm.text", {
      images: number(result.images),
      groups: number(result.groups),
      size: bytes(result.bytes),
    });
    if (!(await confirmed(t("rules.confirm"), text, t("rules.apply")))) return;
    try {
      const made = await post("/rules/apply", asBody(rule));
      toast(t("rules.applied", { n: made.groups }), "good", [t("review.to_plan"), () => go("/plan")]);
      refreshFigures();
      await Promise.all([drawRuns(kept, (await get("/orders", { limit: 50 })).items), update()]);
    } catch (error) {
      toast(errorText(error), "wrong");
    }
  };

  show(
    main,
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("rules.title")), h("p", { class: "quiet" }, t("rules.intro"))),
    ),
    h(
      "div",
      { class: "two" },
      h(
        "section",
        { class: "panel form", "aria-label": t("rules.title") },
        form(rule, given?.choices ?? [], roots.items, destinations, changed),
      ),
      h("div", { class: "stack" }, preview, named.panel, kept),
    ),
  );
  drawRuns(kept, runs.items);
  await Promise.all([named.load().catch(() => {}), update()]);

  function drawRuns(place, items) {
    place.hidden = !items.length;
    place.replaceChildren(
      h("h2", {}, t("runs.title")),
      h(
        "ul",
        { class: "batches" },
        items.map((run) =>
          h(
            "li",
            {},
            h(
              "div",
              {},
              h("strong", {}, t("runs.line", { n: run.images })),
              h("small", {}, `${ago(run.created)} · ${bytes(run.bytes)}`),
            ),
            h("span", { class: "quiet" }, run.open === 0 ? t("runs.carried_out") : ""),
            run.open === 0
              ? null
              : h(
                  "button",
                  {
                    type: "button",
                    class: "small",
                    onclick: async () => {
                      try {
                        await remove(`/orders/${run.id}`);
                        toast(t("runs.revoked"));
                        refreshFigures();
                        await Promise.all([drawRuns(place, (await get("/orders", { limit: 50 })).items), update()]);
                      } catch (error) {
                        toast(errorText(error), "wrong");
                      }
                    },
                  },
                  icon("undo", 15),
                  t("runs.revoke"),
                ),
          ),
        ),
      ),
    );
  }
}

// The body of a request, without empty fields.
function asBody({ criteria, kinds, choice, destination, ties, keep, give_way: giveWay, root, path, ...rule }) {
  const filter = { ...(root ? { root: Number(root) } : {}), ...(path ? { path } : {}) };
  return {
    criteria,
    kinds,
    choice,
    ties,
    ...(rule.trashed_before ? { trashed_before: true } : {}),
    ...(choice === "move" ? { destination } : {}),
    ...(keep && giveWay ? { folders: { keep, give_way: giveWay } } : {}),
    ...(Object.keys(filter).length ? { filter } : {}),
  };
}

// The draft of the form for the body of a request.
function asDraft({ folders, filter, ...rule }) {
  return {
    trashed_before: false,
    ...rule,
    keep: folders?.keep ?? "",
    give_way: folders?.give_way ?? "",
    root: filter?.root ? String(filter.root) : "",
    path: filter?.path ?? "",
  };
}

// The form

function form(rule, allowed, roots, destinations, changed) {
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

// The preview

function drawPreview(place, result, rule, apply, save) {
  const most = Math.max(1, ...Object.values(result.by_criterion));
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  place.replaceChildren(
    ...[
      h(
        "div",
        { class: "panel-head" },
        h("h2", {}, t("rules.preview")),
        h(
          "div",
          { class: "buttons" },
          h("button", { type: "button", onclick: save }, t("saved.save")),
          h(
            "button",
            { type: "button", class: "primary", disabled: !result.images, onclick: () => apply(result) },
            icon("check"),
            t("rules.apply"),
          ),
        ),
      ),
      h(
        "dl",
        { class: "big" },
        fact(t("rules.groups"), number(result.groups)),
        fact(t(`rules.images.${rule.choice}`), number(result.images)),
        fact(t("rules.bytes"), bytes(result.bytes)),
      ),
      result.undecided_ties ? h("p", { class: "notice" }, t("rules.tied", { n: result.undecided_ties })) : null,
      Object.keys(result.by_criterion).length
        ? [
            h("h3", {}, t("rules.decided_by")),
            h(
              "ul",
              { class: "bars" },
              Object.entries(result.by_criterion)
                .sort(([, a], [, b]) => b - a)
                .map(([criterion, n]) =>
                  h(
                    "li",
                    {},
                    h("span", {}, t(`criterion.${criterion}`)),
                    h("span", { class: "track" }, h("i", { style: { width: `${(100 * n) / most}%` } })),
                    h("span", { class: "n" }, number(n)),
                  ),
                ),
            ),
          ]
        : null,
      result.sample.length ? samples(result.sample, rule.choice) : h("p", { class: "quiet" }, t("rules.nothing")),
    ]
      .flat()
      .filter(Boolean),
  );
}

// The examples, some at a time.
function samples(all, choice) {
  const list = h("ul", { class: "samples" });
  const place = h("span", { class: "quiet", role: "status" });
  let from = 0;
  const turn = (by) =>
    h(
      "button",
      {
        type: "button",
        class: "small square",
        "aria-label": t(by < 0 ? "rules.sample.before" : "rules.sample.after"),
        onclick: () => {
          from += by;
          draw();
        },
      },
      icon(by < 0 ? "left" : "right", 16),
    );
  const before = turn(-SHOWN_SAMPLES);
  const after = turn(SHOWN_SAMPLES);
  const draw = () => {
    const shown = all.slice(from, from + SHOWN_SAMPLES);
    list.replaceChildren(...shown.map((sample) => sampleLine(sample, choice)));
    place.textContent = t("rules.sample.place", { from: from + 1, to: from + shown.length, n: all.length });
    before.disabled = from === 0;
    after.disabled = from + SHOWN_SAMPLES >= all.length;
  };
  draw();
  const steps = all.length > SHOWN_SAMPLES ? h("div", { class: "buttons sample-steps" }, before, place, after) : null;
  return [h("div", { class: "panel-head" }, h("h3", {}, t("rules.sample")), steps), list];
}

// A sample has no pictures: they are loaded with its group.
function sampleLine({ group, keeper, victims, decided_by: criterion, value }, choice) {
  const thumbs = h("span", { class: "thumbs" });
  get(`/groups/${encodeURIComponent(group)}`)
    .then(({ images: { items } }) => {
      const wanted = [keeper, ...victims].map(({ id }) => id);
      thumbs.replaceChildren(
        ...wanted
          .slice(0, 4)
          .map((id) => items.find((image) => image.id === id))
          .filter(Boolean)
          .map((image, place) =>
            h(
              "figure",
              {},
              thumbnail(image),
              h("span", { class: `mark mark-${place ? choice : "keep"}` }, icon(place ? choice : "check", 12)),
            ),
          ),
      );
    })
    .catch(() => {});
  return h(
    "li",
    {},
    h(
      "a",
      { href: `/groups/${group}` },
      thumbs,
      h(
        "span",
        {},
        h("strong", {}, split(keeper.path).name),
        h(
          "small",
          { class: "quiet" },
          criterion ? t(`because.${criterion}`, { value: valueText(criterion, value) }) : "",
        ),
      ),
    ),
  );
}
