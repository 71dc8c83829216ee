// Rules: what to keep by ordered criteria. A rule is previewed, applied, and can be revoked as a whole.

import { toast } from "../components/toast.js";
import { get, post } from "../core/api.js";
import { h, show } from "../core/dom.js";
import { bytes, errorText, number, t } from "../core/text.js";
import { effectOfJob } from "../jobs/jobs.js";
import { refreshFigures } from "../review/decisions.js";
import { confirmed, loadDestinations } from "../review/dialogs.js";
import { asBody, asDraft, loadDraft, storeDraft } from "../rules/draft.js";
import { namedRules } from "../rules/named-rules.js";
import { drawPreview, estimatedText, isEstimated } from "../rules/preview.js";
import { ruleForm } from "../rules/rule-form.js";
import { drawRuns, loadRuns } from "../rules/runs.js";

// What a rule decides by default: equality is proven.
const PROVEN = ["exact", "pixels"];
const PREVIEW_MS = 350;
// The number of groups that a request decides on; more need a job.
const MOST_AT_ONCE = 10000;

export async function render(main, { signal, go }) {
  document.title = `${t("nav.rules")} · ${t("app.name")}`;
  const [settings, roots, destinations, runs] = await Promise.all([
    get("/settings", { limit: 200 }, signal),
    get("/roots", { limit: 200 }, signal),
    loadDestinations(),
    loadRuns(signal),
  ]);
  const given = settings.items.find(({ key }) => key === "sort.rules");
  const rule = { criteria: given?.value ?? [], kinds: [...PROVEN], choice: "trash", ties: "ask", ...loadDraft() };
  // A draft may name a destination that no longer exists.
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
      if (!request.signal.aborted && !signal.aborted) drawPreview(preview, result, rule, actions);
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
  const countAll = async () => {
    asking?.abort();
    asking = new AbortController();
    const request = asking;
    preview.ariaBusy = "true";
    try {
      const result = await effectOfJob("/rules/jobs", { ...asBody(rule), dry_run: true }, request.signal);
      if (result && !signal.aborted) drawPreview(preview, result, rule, actions);
    } catch (error) {
      if (error.name !== "AbortError") toast(errorText(error), "wrong");
    } finally {
      if (!request.signal.aborted) preview.ariaBusy = "false";
    }
  };
  const apply = async (result) => {
    const text = t("rules.confirm.text", {
      images: number(result.images),
      groups: number(result.groups),
      size: bytes(result.bytes),
    });
    const many = result.selected > MOST_AT_ONCE;
    const asked = isEstimated(result) ? `${text} ${estimatedText(result)}` : text;
    if (!(await confirmed(t("rules.confirm"), asked, t("rules.apply")))) return;
    try {
      const made = many ? await effectOfJob("/rules/jobs", asBody(rule)) : await post("/rules/apply", asBody(rule));
      if (made) toast(t("rules.applied", { n: made.groups }), "good", [t("review.to_plan"), () => go("/plan")]);
      else toast(t("rules.cancelled"));
      refreshFigures();
      if (!signal.aborted) await Promise.all([drawRuns(kept, await loadRuns(), update), update()]);
    } catch (error) {
      toast(errorText(error), "wrong");
    }
  };
  const actions = { apply, save: () => named.save(asBody(rule)), countAll };

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
        ruleForm(rule, given?.choices ?? [], roots.items, destinations, changed),
      ),
      h("div", { class: "stack" }, preview, named.panel, kept),
    ),
  );
  drawRuns(kept, runs, update);
  await Promise.all([named.load().catch(() => {}), update()]);
}
