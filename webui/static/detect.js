// The dialog that starts a detection: where to look, how fine, how tolerant.

import { get } from "./api.js";
import { h, icon } from "./dom.js";
import { queue } from "./jobs.js";
import { state } from "./live.js";
import { number, split, t } from "./text.js";

// Shares of the bits of a hash; two unrelated pictures differ in about half of them, and hardly ever in under a third.
const STEPS = [[0, "identical"], [0.05, "resized"], [0.14, "edited"], [0.26, "altered"], [0.34, "wide"], [1, "noise"]];
const HIGHEST_SHARE = 0.4;

export const toleranceWord = (tolerance, hsize) => STEPS.find(([most]) => tolerance / hsize ** 2 <= most)[1];

export async function openDetect() {
  const settings = Object.fromEntries((await get("/settings", { limit: 200 })).items.map((item) => [item.key, item.value]));
  const roots = state.roots.items;
  const now = { hsize: settings["detect.hsize"] ?? 16, tolerance: settings["detect.tolerance"] ?? 80,
    turns: settings["detect.turns"] ?? true, verify: settings["detect.verify"] ?? true, depth: settings["detect.depth"] ?? "fast" };

  const tolerance = h("input", { type: "range", id: "tolerance", name: "tolerance", min: "0", value: String(now.tolerance), step: "1" });
  const told = h("output", { for: "tolerance" });
  const explained = h("p", { class: "help", id: "tolerance-help" });
  const expected = h("p", { class: "help", id: "tolerance-expected", "aria-live": "polite" });
  tolerance.setAttribute("aria-describedby", `${explained.id} ${expected.id}`);
  const measured = new Map();
  let hsize = now.hsize;
  let form = null;
  const tell = () => {
    told.textContent = t("detect.bits", { n: String(tolerance.value), of: String(hsize ** 2) });
    explained.textContent = t(`tolerance.${toleranceWord(Number(tolerance.value), hsize)}`);
    expect();
  };
  // What this library makes expect of a tolerance: asked for once for each way of hashing, and then told as it moves.
  const expect = async () => {
    const turns = form?.elements.turns.checked ?? now.turns;
    const way = `${hsize} ${turns}`;
    if (!measured.has(way)) measured.set(way, get("/calibration", { hsize, turns }).catch(() => ({ items: [] })));
    const found = await measured.get(way);
    if (way !== `${hsize} ${form?.elements.turns.checked ?? now.turns}`) return;
    expected.textContent = expectedText(found, Number(tolerance.value), form?.elements.verify.checked ?? now.verify);
  };
  const setHsize = (value) => {
    const share = Number(tolerance.value) / hsize ** 2;
    hsize = value;
    tolerance.max = String(Math.round(hsize ** 2 * HIGHEST_SHARE));
    tolerance.value = String(Math.round(share * hsize ** 2));
    tell();
  };
  tolerance.max = String(Math.round(hsize ** 2 * HIGHEST_SHARE));
  tolerance.value = String(now.tolerance);
  tolerance.addEventListener("input", tell);

  const folder = h("input", { type: "text", name: "folder", list: "known-folders", placeholder: roots[0]?.path ?? "/", "aria-label": t("detect.folder_label"), spellcheck: "false", autocomplete: "off" });
  const where = h("fieldset", {}, h("legend", {}, t("detect.where")),
    roots.map((root) => check("root", split(root.path).name || root.path, true, root.path, String(root.uri))),
    h("details", {}, h("summary", {}, t("detect.only_folder")), folder,
      h("datalist", { id: "known-folders" }, roots.map((root) => h("option", { value: root.path }))),
      h("p", { class: "help" }, t("detect.only_folder.help"))));

  form = h("form", { method: "dialog" },
    h("header", {}, h("h2", {}, t("detect.title")),
      h("button", { class: "plain", value: "cancel", formnovalidate: true, "aria-label": t("action.close") }, icon("close"))),
    h("p", { class: "help" }, t("detect.intro")),
    where,
    h("fieldset", {}, h("legend", {}, t("detect.fineness")),
      h("div", { class: "segments" }, [8, 16, 32].map((value) => h("label", {},
        h("input", { type: "radio", name: "hsize", value: String(value), checked: value === now.hsize, onchange: () => setHsize(value) }),
        h("span", {}, h("b", {}, t(`hsize.${value}`)), h("small", {}, t("detect.hash_bits", { n: value ** 2 })))))),
    ),
    h("div", { class: "field" }, h("label", { for: "tolerance" }, t("detect.tolerance"), told), tolerance,
      h("div", { class: "scale", "aria-hidden": "true" }, h("span", {}, t("detect.strict")), h("span", {}, t("detect.tolerant"))), explained, expected),
    h("fieldset", { class: "switches" }, h("legend", { class: "sr" }, t("detect.how")),
      check("turns", t("detect.turns"), now.turns, t("detect.turns.help")),
      check("verify", t("detect.verify"), now.verify, t("detect.verify.help")),
      check("thorough", t("detect.thorough"), now.depth === "thorough", t("detect.thorough.help"))),
    h("footer", {}, h("button", { class: "plain-text", value: "cancel", formnovalidate: true }, t("action.cancel")),
      h("button", { class: "primary", value: "start" }, icon("search"), t("detect.start"))));
  tell();
  for (const name of ["turns", "verify"]) form.elements[name].addEventListener("change", expect);

  const dialog = h("dialog", { class: "sheet", "aria-label": t("detect.title") }, form);
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close("cancel"); });
  dialog.addEventListener("close", async () => {
    dialog.remove();
    if (dialog.returnValue !== "start") return;
    const data = new FormData(form);
    const picked = data.getAll("root");
    const only = folder.value.trim();
    const folders = only ? [only] : picked.length === roots.length ? [] : picked;
    await queue("detect", { hsize: Number(data.get("hsize")), tolerance: Number(data.get("tolerance")),
      turns: data.has("turns"), verify: data.has("verify"), depth: data.has("thorough") ? "thorough" : "fast", folders });
  });
  dialog.showModal();
}

function expectedText(found, tolerance, verify) {
  const one = found.items.find((item) => item.tolerance === tolerance);
  if (!one) return found.measured === null ? t("expected.unmeasured") : "";
  const words = [t("expected.proposed", { pairs: pairsText(one.proposed) })];
  if (verify) words.push(t("expected.let_through", { pairs: pairsText(one.let_through) }));
  return [...words, t("expected.measured", { n: found.images })].join(" ");
}

const rounded = (value) => number(value < 100 ? Math.round(value) : Number(value.toPrecision(2)));

function pairsText({ low, guess, high }) {
  if (high < 1) return t("expected.none");
  if (guess < 1) return t("expected.few", { high: rounded(Math.ceil(high)) });
  return t("expected.pairs", { guess: rounded(guess), low: rounded(Math.floor(low)), high: rounded(Math.ceil(high)) });
}

function check(name, label, checked, help, value = "on") {
  return h("label", { class: "check" }, h("input", { type: "checkbox", name, value, checked }),
    h("span", {}, label, help ? h("small", {}, help) : null));
}
