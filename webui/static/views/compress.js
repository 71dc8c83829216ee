// Compression: the form, a dry run that measures the savings, and the report, in which each result can be compared with
// its source and the batch undone.

import { createCompare } from "../compare/compare.js";
import { subnav } from "../components/subnav.js";
import { toast } from "../components/toast.js";
import { get, post } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { bytes, errorText, figure, has, moment, number, percent, split, t } from "../core/text.js";
import { untilEnded, waitingText } from "../jobs/jobs.js";
import { refusalText } from "../jobs/steps.js";
import { confirmed } from "../review/dialogs.js";

const PAGE = 50;
const LOOKS = ["exact", "visually-lossless", "high", "medium", "number"];

export async function render(main, { signal, go }) {
  document.title = `${t("page.compress")} · ${t("app.name")}`;
  const [settings, roots] = await Promise.all([
    get("/settings", { limit: 200 }, signal),
    get("/roots", { limit: 200 }, signal),
  ]);
  const values = Object.fromEntries(settings.items.map((item) => [item.key.replace("compress.", ""), item.value]));
  const report = h("div", { "aria-live": "polite" });
  const form = makeForm(values, roots.items);
  const measure = h("button", { type: "submit", value: "measure" }, icon("search", 16), t("compress.measure"));
  const start = h(
    "button",
    { type: "submit", value: "start", class: "primary" },
    icon("check", 16),
    t("compress.start"),
  );
  form.append(h("footer", { class: "buttons" }, measure, start));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const parameters = readForm(form);
    const real = event.submitter === start;
    if (real && !(await isConfirmed(parameters, signal))) return;
    for (const button of [measure, start]) button.disabled = true;
    try {
      await run({ ...parameters, dry_run: !real }, report, signal, go);
    } finally {
      for (const button of [measure, start]) button.disabled = false;
    }
  });
  show(
    main,
    subnav("library", "compress"),
    h(
      "header",
      { class: "page-head" },
      h("div", {}, h("h1", {}, t("page.compress")), h("p", { class: "quiet" }, t("compress.intro"))),
    ),
    h("section", { class: "panel" }, form),
    report,
  );
  const batch = new URLSearchParams(location.search).get("batch");
  if (batch) await showReport(report, Number(batch), null, signal, go);
}

// Asks before sources go to the trash or pictures lose pixels, with their number.
async function isConfirmed(parameters, signal) {
  const moves = parameters.modify_source || parameters.delete_source;
  const { resolution, size_threshold_mb, recursive, folders } = parameters;
  const query = { resolution, size_threshold_mb, recursive, folder: folders?.[0] };
  const lost = resolution ? await get("/compressions/reduction", query, signal).catch(() => null) : null;
  if (!moves && !lost?.pictures) return true;
  const texts = [
    lost?.pictures
      ? t("compress.confirm.pixels", {
          n: lost.pictures,
          share: percent(1 - lost.pixels_after / lost.pixels_before),
          before: sizeText(lost.widest),
          after: sizeText(lost.becomes),
        })
      : "",
    moves ? t("compress.confirm.text") : "",
  ];
  return confirmed(t("compress.confirm"), texts.filter(Boolean).join(" "), t("compress.start"));
}

const sizeText = (size) => size.replace("x", " × ");

// The form

function makeForm(values, roots) {
  const look = values.target || (values.quality === 100 ? "exact" : "number");
  const customQuality = h("input", {
    type: "number",
    name: "quality",
    min: "1",
    max: "100",
    value: String(values.quality),
    "aria-label": t("compress.quality"),
  });
  const size = h("input", {
    type: "text",
    name: "resolution",
    pattern: "[1-9]\\d{0,4}[xX][1-9]\\d{0,4}|",
    placeholder: t("compress.full_size"),
  });
  let wanted = values.resolution;
  // Identical pixels need an unchanged size.
  const choose = (value) => {
    customQuality.hidden = value !== "number";
    if (!size.disabled) wanted = size.value;
    size.disabled = value === "exact";
    size.value = size.disabled ? "" : wanted;
  };
  size.value = wanted;
  choose(look);
  const looks = LOOKS.map((value) =>
    h(
      "label",
      {},
      h("input", { type: "radio", name: "look", value, checked: value === look, onchange: () => choose(value) }),
      h("span", {}, h("b", {}, t(`compress.look.${value}`)), h("small", {}, t(`compress.look.${value}.help`))),
    ),
  );
  const source = values.modify_source ? "modify" : values.delete_source ? "delete" : "keep";
  return h(
    "form",
    { class: "compress-form" },
    h("fieldset", {}, h("legend", {}, t("compress.look")), h("div", { class: "segments looks" }, looks), customQuality),
    h(
      "div",
      { class: "field-row" },
      select(
        "folder",
        t("compress.where"),
        [
          ["", t("compress.everywhere")],
          ...roots.filter((root) => !root.protected).map((root) => [root.uri, split(root.path).name || root.path]),
        ],
        "",
      ),
      field("size_threshold_mb", t("compress.threshold"), {
        type: "number",
        min: "0",
        step: "any",
        value: String(values.size_threshold_mb),
      }),
      h("label", { class: "stack" }, t("compress.resolution"), size),
      select(
        "format",
        t("compress.format"),
        ["", "jpeg", "webp", "avif"].map((value) => [value, value ? value.toUpperCase() : t("compress.same_format")]),
        values.format,
      ),
    ),
    h(
      "fieldset",
      {},
      h("legend", {}, t("compress.source")),
      h(
        "div",
        { class: "segments" },
        ["keep", "modify", "delete"].map((value) =>
          h(
            "label",
            {},
            h("input", { type: "radio", name: "source", value, checked: value === source }),
            h(
              "span",
              {},
              h("b", {}, t(`compress.source.${value}`)),
              h("small", {}, t(`compress.source.${value}.help`)),
            ),
          ),
        ),
      ),
    ),
    h(
      "fieldset",
      { class: "switches" },
      h("legend", { class: "sr" }, t("compress.more")),
      check("recursive", t("compress.recursive"), values.recursive),
      check("strip", t("compress.strip"), values.strip, t("compress.strip.help")),
    ),
  );
}

const field = (name, label, properties) => h("label", { class: "stack" }, label, h("input", { name, ...properties }));
const select = (name, label, choices, chosen) =>
  h(
    "label",
    { class: "stack" },
    label,
    h(
      "select",
      { name },
      choices.map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
    ),
  );
const check = (name, label, checked, help) =>
  h(
    "label",
    { class: "check" },
    h("input", { type: "checkbox", name, checked }),
    h("span", {}, label, help ? h("small", {}, help) : null),
  );

function readForm(form) {
  const data = new FormData(form);
  const look = data.get("look");
  const target = look === "exact" || look === "number" ? {} : { target: look };
  const quality =
    look === "exact" ? { quality: 100 } : look === "number" ? { quality: Number(data.get("quality")) } : {};
  return {
    ...target,
    ...quality,
    ...(data.get("folder") ? { folders: [data.get("folder")] } : {}),
    format: data.get("format"),
    size_threshold_mb: Number(data.get("size_threshold_mb")),
    resolution: data.get("resolution")?.trim() ?? "",
    modify_source: data.get("source") === "modify",
    delete_source: data.get("source") === "delete",
    recursive: data.has("recursive"),
    strip: data.has("strip"),
  };
}

// Running and reporting

async function run(parameters, place, signal, go) {
  try {
    const what = t(parameters.dry_run ? "compress.measuring" : "compress.working");
    const progress = h("p", { class: "quiet" }, what);
    const bar = h("progress", { "aria-label": t("job.compress") });
    place.replaceChildren(h("section", { class: "panel" }, progress, bar));
    const { id } = await post("/jobs", { kind: "compress", parameters });
    const job = await untilEnded(id, signal, (current) => {
      const done = current.total ? t("running.of", { done: number(current.done), total: number(current.total) }) : "";
      progress.textContent = [waitingText(current, what), done].filter(Boolean).join(" ");
      if (current.total) Object.assign(bar, { max: current.total, value: current.done });
    });
    if (job.state !== "done") throw Object.assign(new Error(job.error || t("compress.stopped")), { code: "" });
    await showReport(place, job.outcome.batch, job.outcome, signal, go);
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    place.replaceChildren(h("section", { class: "panel" }, h("p", { class: "wrong" }, errorText(error))));
  }
}

async function showReport(place, batchId, outcome, signal, go) {
  const list = h("ul", { class: "compressions" });
  const more = h("button", { class: "wide", type: "button", hidden: true }, t("activity.more"));
  let cursor = null;
  const load = async () => {
    const page = await get("/compressions", { batch: batchId, limit: PAGE, cursor }, signal);
    list.append(...page.items.map((item) => line(item, signal)));
    cursor = page.next;
    more.hidden = !cursor;
    return page;
  };
  more.addEventListener("click", load);
  const [page, batch] = await Promise.all([load(), get(`/batches/${batchId}`, { limit: 1 }, signal)]);
  const saved = page.bytes_before - page.bytes_after;
  const made = (page.states.done ?? 0) + (page.states.measured ?? 0);
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  const others = ["left", "refused", "failed", "undone"].filter((state) => page.states[state]);
  const undoAll = batch.undoable
    ? h(
        "button",
        {
          type: "button",
          onclick: async (event) => {
            event.currentTarget.disabled = true;
            try {
              const job = await untilEnded((await post(`/batches/${batchId}/undo`, {})).id, signal);
              toast(job.state === "done" ? t("batch.undone") : job.error, job.state === "done" ? "good" : "wrong");
              if (!signal.aborted) go(`/compress?batch=${batchId}`, { replace: true, keepScroll: true });
            } catch (error) {
              if (error.name !== "AbortError") toast(errorText(error), "wrong");
            }
          },
        },
        icon("undo", 16),
        t("batch.undo_all"),
      )
    : null;
  place.replaceChildren(
    h(
      "section",
      { class: "panel" },
      h(
        "div",
        { class: "panel-head" },
        h(
          "dl",
          { class: "big" },
          made
            ? fact(
                t(batch.dry_run ? "compress.would_save" : "compress.saved"),
                `${bytes(saved)} (${percent(saved / page.bytes_before)})`,
              )
            : null,
          fact(t("compress.files"), number(made)),
          others.map((state) => fact(t(`compress.state.${state}`), number(page.states[state]))),
          outcome?.known ? fact(t("compress.known"), number(outcome.known)) : null,
          outcome?.smaller ? fact(t("compress.smaller"), number(outcome.smaller)) : null,
          outcome?.undone_before ? fact(t("compress.undone_before"), number(outcome.undone_before)) : null,
        ),
        undoAll,
      ),
      h("p", { class: "quiet" }, batch.dry_run ? t("compress.dry_run") : moment(batch.created)),
      page.total
        ? list
        : h("p", {}, outcome?.smaller ? t("compress.nothing_large", { n: outcome.smaller }) : t("compress.nothing")),
      more,
    ),
  );
}

function line(item, signal) {
  const { name, folder } = split(item.path);
  const made = item.after !== null;
  const gain = item.bytes_before ? 1 - item.bytes_after / item.bytes_before : 0;
  const text = made
    ? [
        scoreText(item),
        item.quality ? t("compress.at_quality", { n: item.quality }) : "",
        item.size_before !== item.size_after ? `${sizeText(item.size_before)} → ${sizeText(item.size_after)}` : "",
        item.result && item.result !== item.path ? split(item.result).name : "",
        item.message,
      ]
        .filter(Boolean)
        .join(" · ")
    : item.state === "undone"
      ? t("compress.state.undone")
      : reasonOf(item);
  return h(
    "li",
    { class: `compression-${item.state}` },
    h("div", {}, h("strong", {}, name), h("small", {}, folder), h("small", {}, text)),
    made
      ? h(
          "span",
          { class: "n" },
          h("span", {}, `${bytes(item.bytes_before)} → ${bytes(item.bytes_after)}`),
          h("meter", {
            min: "0",
            max: "1",
            value: String(Math.max(0, Math.min(1, 1 - gain))),
            "aria-label": t("compress.of_before", { share: percent(1 - gain) }),
          }),
          h("b", {}, `−${percent(gain)}`),
        )
      : h("span", { class: "n" }, bytes(item.bytes_before)),
    made && item.before
      ? h(
          "button",
          {
            type: "button",
            class: "small",
            "aria-label": t("compress.look_at", { name }),
            onclick: () => openCompare(item, signal),
          },
          icon("slider", 15),
          t("compress.compare"),
        )
      : h("span", {}),
  );
}

// What was compared: if the size changed, the source was scaled to that of the result first.
const scoreText = (item) =>
  item.lossless
    ? t("compress.lossless")
    : item.size_before === item.size_after
      ? t("compress.score", { n: figure(item.score) })
      : t("compress.score_scaled", { n: figure(item.score), size: sizeText(item.size_after) });

const reasonOf = (item) =>
  has(`compress.reason.${item.reason}`)
    ? t(`compress.reason.${item.reason}`)
    : refusalText(item.reason ?? item.state, item.message ?? "");

// Source and result in a comparison. Their sizes are those of the pictures as the browser shows them, with the
// orientation applied.
async function openCompare(item, signal) {
  const close = h("button", { class: "plain", value: "close", "aria-label": t("action.close") }, icon("close"));
  const place = h("div", { class: "compare-place" }, h("progress", { "aria-label": t("compress.loading") }));
  const dialog = h(
    "dialog",
    { class: "sheet compare-sheet", "aria-label": t("compress.compare") },
    h("form", { method: "dialog" }, h("header", {}, h("h2", {}, split(item.path).name), close)),
    place,
  );
  let compare = null;
  dialog.addEventListener("close", () => {
    compare?.close();
    dialog.remove();
  });
  signal.addEventListener("abort", () => dialog.close(), { once: true });
  document.body.append(dialog);
  dialog.showModal();
  try {
    const [before, after] = await Promise.all([item.before, item.after].map(pictureAt));
    compare = createCompare({ modes: ["slider", "side", "flick", "difference"] });
    place.replaceChildren(compare.element);
    compare.show(
      { picture: before, label: `${t("compress.before")} · ${bytes(item.bytes_before)}` },
      { picture: after, label: `${t("compress.after")} · ${bytes(item.bytes_after)}` },
    );
  } catch {
    place.replaceChildren(h("p", { class: "wrong" }, t("compress.not_there")));
  }
}

async function pictureAt(content) {
  const image = new Image();
  image.src = content;
  await image.decode();
  return {
    width: image.naturalWidth,
    height: image.naturalHeight,
    format: "JPEG",
    orientation: 1,
    content,
    preview: null,
    crop: null,
  };
}
