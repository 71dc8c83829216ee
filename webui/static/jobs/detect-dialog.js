// The dialog that starts a detection: folders, hash size, tolerance and options.

import { get, post } from "../core/api.js";
import { h, icon } from "../core/dom.js";
import { read } from "../core/store.js";
import { folderField } from "../folders/folder-field.js";
import { number, split, t } from "../core/text.js";
import { toast } from "../components/toast.js";
import { untilEnded } from "./jobs.js";

// Tolerance as a share of the bits of a hash. Unrelated pictures differ in about half of them, and very rarely in less
// than a third.
const STEPS = [
  [0, "identical"],
  [0.05, "resized"],
  [0.14, "edited"],
  [0.26, "altered"],
  [0.34, "wide"],
  [1, "noise"],
];
const HIGHEST_SHARE = 0.4;
// By their names in the texts.
export const METHODS = {
  auto: "auto",
  hash: "hash",
  "hash+model": "hash_and_model",
  "hash,model": "hash_then_model",
  model: "model",
};

export const toleranceName = (tolerance, hsize) => STEPS.find(([most]) => tolerance / hsize ** 2 <= most)[1];

// `go` opens the result of a search in some folders, unless `signal` says that the list was left.
export async function openDetect({ go, signal }) {
  const [{ items }, { model }] = await Promise.all([get("/settings", { limit: 200 }), get("/status")]);
  const settings = Object.fromEntries(items.map((item) => [item.key, item.value]));
  const roots = read("roots").items;
  const defaults = {
    hsize: settings["detect.hsize"] ?? 16,
    tolerance: settings["detect.tolerance"] ?? 80,
    turns: settings["detect.turns"] ?? true,
    verify: settings["detect.verify"] ?? true,
    depth: settings["detect.depth"] ?? "fast",
    method: settings["detect.method"] ?? "auto",
  };

  const tolerance = h("input", {
    type: "range",
    id: "tolerance",
    name: "tolerance",
    min: "0",
    value: String(defaults.tolerance),
    step: "1",
  });
  const bits = h("output", { for: "tolerance" });
  const explained = h("p", { class: "help", id: "tolerance-help" });
  const expected = h("p", { class: "help", id: "tolerance-expected", "aria-live": "polite" });
  tolerance.setAttribute("aria-describedby", `${explained.id} ${expected.id}`);
  const calibrations = new Map();
  let hsize = defaults.hsize;
  let form = null;
  const drawTolerance = () => {
    bits.textContent = t("detect.bits", { n: String(tolerance.value), of: String(hsize ** 2) });
    explained.textContent = t(`tolerance.${toleranceName(Number(tolerance.value), hsize)}`);
    drawExpected();
  };
  // The expected false matches of this library, requested once for each hash size and choice of turns.
  const drawExpected = async () => {
    const turns = form?.elements.turns.checked ?? defaults.turns;
    const hashing = `${hsize} ${turns}`;
    if (!calibrations.has(hashing))
      calibrations.set(
        hashing,
        get("/calibration", { hsize, turns }).catch(() => ({ items: [] })),
      );
    const calibration = await calibrations.get(hashing);
    if (hashing !== `${hsize} ${form?.elements.turns.checked ?? defaults.turns}`) return;
    expected.textContent = expectedText(
      calibration,
      Number(tolerance.value),
      form?.elements.verify.checked ?? defaults.verify,
    );
  };
  const setHsize = (value) => {
    const share = Number(tolerance.value) / hsize ** 2;
    hsize = value;
    tolerance.max = String(Math.round(hsize ** 2 * HIGHEST_SHARE));
    tolerance.value = String(Math.round(share * hsize ** 2));
    drawTolerance();
  };
  tolerance.max = String(Math.round(hsize ** 2 * HIGHEST_SHARE));
  tolerance.value = String(defaults.tolerance);
  tolerance.addEventListener("input", drawTolerance);

  const folder = folderField({
    id: "search-folder",
    label: t("detect.folder_label"),
    known: roots.map((root) => root.path),
  });
  const where = h(
    "fieldset",
    {},
    h("legend", {}, t("detect.where")),
    roots.map((root) => check("root", split(root.path).name || root.path, true, root.path, String(root.uri))),
    h(
      "details",
      {},
      h("summary", {}, t("detect.only_folder")),
      h("p", { class: "help" }, t("detect.only_folder.help")),
      folder.element,
      check("below", t("root.recursive"), true),
    ),
  );

  form = h(
    "form",
    { method: "dialog" },
    h(
      "header",
      {},
      h("h2", {}, t("detect.title")),
      h(
        "button",
        { class: "plain", value: "cancel", formnovalidate: true, "aria-label": t("action.close") },
        icon("close"),
      ),
    ),
    h("p", { class: "help" }, t("detect.intro")),
    where,
    h(
      "fieldset",
      {},
      h("legend", {}, t("detect.fineness")),
      h(
        "div",
        { class: "segments" },
        [8, 16, 32].map((value) =>
          h(
            "label",
            {},
            h("input", {
              type: "radio",
              name: "hsize",
              value: String(value),
              checked: value === defaults.hsize,
              onchange: () => setHsize(value),
            }),
            h("span", {}, h("b", {}, t(`hsize.${value}`)), h("small", {}, t("detect.hash_bits", { n: value ** 2 }))),
          ),
        ),
      ),
    ),
    h(
      "div",
      { class: "field" },
      h("label", { for: "tolerance" }, t("detect.tolerance"), bits),
      tolerance,
      h(
        "div",
        { class: "scale", "aria-hidden": "true" },
        h("span", {}, t("detect.strict")),
        h("span", {}, t("detect.tolerant")),
      ),
      explained,
      expected,
    ),
    method(defaults.method, model),
    h(
      "fieldset",
      { class: "switches" },
      h("legend", { class: "sr" }, t("detect.how")),
      check("turns", t("detect.turns"), defaults.turns, t("detect.turns.help")),
      check("verify", t("detect.verify"), defaults.verify, t("detect.verify.help")),
      check("thorough", t("detect.thorough"), defaults.depth === "thorough", t("detect.thorough.help")),
    ),
    h(
      "footer",
      {},
      h("button", { class: "plain-text", value: "cancel", formnovalidate: true }, t("action.cancel")),
      h("button", { class: "primary", value: "start" }, icon("search"), t("detect.start")),
    ),
  );
  drawTolerance();
  for (const name of ["turns", "verify"]) form.elements[name].addEventListener("change", drawExpected);

  const dialog = h("dialog", { class: "sheet", "aria-label": t("detect.title") }, form);
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close("cancel");
  });
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.value === "cancel") return;
    // The dialog stays open until the service has accepted: what was typed is not lost.
    event.preventDefault();
    const data = new FormData(form);
    const picked = data.getAll("root");
    const only = folder.value();
    const folders = picked.length === roots.length ? [] : picked;
    const parameters = {
      hsize: Number(data.get("hsize")),
      tolerance: Number(data.get("tolerance")),
      turns: data.has("turns"),
      verify: data.has("verify"),
      depth: data.has("thorough") ? "thorough" : "fast",
      method: data.get("method"),
    };
    // Left as it is in the settings, it stays theirs: one that is set nowhere is lowered for a large library.
    if (parameters.hsize === defaults.hsize && parameters.tolerance === defaults.tolerance) delete parameters.tolerance;
    try {
      const job = only
        ? await post("/searches", { folder: only, recursive: data.has("below"), ...parameters })
        : await post("/jobs", { kind: "detect", parameters: { ...parameters, folders } });
      dialog.close("start");
      toast(t("queued.detect"));
      if (only || folders.length) await showSearch(job.id, go, signal);
    } catch (error) {
      form.querySelector("details").open = true;
      folder.refuse(error);
    }
  });
  dialog.showModal();
}

// Opens the result of a limited search once it has ended; elsewhere than on the list it is offered.
async function showSearch(id, go, signal) {
  const job = await untilEnded(id);
  const address = `/?search=${job.outcome.search}`;
  if (job.state !== "done") toast(job.error || t("search.ended"), "wrong");
  else if (signal.aborted) toast(t("search.done"), "good", [t("search.show"), () => go(address)]);
  else await go(address);
}

function expectedText(calibration, tolerance, verify) {
  const entry = calibration.items.find((item) => item.tolerance === tolerance);
  if (!entry) return calibration.measured === null ? t("expected.unmeasured") : "";
  const sentences = [t("expected.proposed", { pairs: pairsText(entry.proposed) })];
  if (verify) sentences.push(t("expected.let_through", { pairs: pairsText(entry.let_through) }));
  return [...sentences, t("expected.measured", { n: calibration.images })].join(" ");
}

const rounded = (value) => number(value < 100 ? Math.round(value) : Number(value.toPrecision(2)));

function pairsText({ low, guess, high }) {
  if (high < 1) return t("expected.none");
  if (guess < 1) return t("expected.few", { high: rounded(Math.ceil(high)) });
  return t("expected.pairs", { guess: rounded(guess), low: rounded(Math.floor(low)), high: rounded(Math.ceil(high)) });
}

// Which pairs are compared, with what each choice means and why the model is not used, if it fails.
function method(chosen, model) {
  const help = h("p", { class: "help", id: "method-help" }, t(`method.${METHODS[chosen]}.help`));
  return h(
    "div",
    { class: "field" },
    h("label", { for: "method" }, t("detect.method")),
    h(
      "select",
      {
        id: "method",
        name: "method",
        "aria-describedby": help.id,
        onchange: (event) => {
          help.textContent = t(`method.${METHODS[event.target.value]}.help`);
        },
      },
      Object.entries(METHODS).map(([name, key]) =>
        h("option", { value: name, selected: name === chosen }, t(`method.${key}`)),
      ),
    ),
    help,
    model?.failure ? h("p", { class: "notice" }, t("model.fails", { problem: model.failure })) : null,
  );
}

function check(name, label, checked, help, value = "on") {
  return h(
    "label",
    { class: "check" },
    h("input", { type: "checkbox", name, value, checked }),
    h("span", {}, label, help ? h("small", {}, help) : null),
  );
}
