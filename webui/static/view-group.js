// One group: its images large, what is the same and what differs, the way to the next group.

import { get, post, remove } from "./api.js";
import { h, icon, show } from "./dom.js";
import { live, state } from "./live.js";
import { dateText, evidenceText, folderText, formatText, kindChip, size, thumbnail } from "./pictures.js";
import { bytes, day, errorText, number, percent, safe, split, t } from "./text.js";
import { toast } from "./toast.js";
import { address } from "./view-groups.js";

const FACTS = [
  ["size", size, (image) => image.width * image.height],
  ["format", formatText, (image) => image.jpeg_quality ?? 0],
  ["bytes", (image) => bytes(image.size_bytes), (image) => image.size_bytes],
  ["date", dateText, null],
  ["modified", (image) => day(image.modified), null],
  ["camera", (image) => image.camera || "–", null],
  ["metadata", (image) => image.metadata.join(", ").toUpperCase() || "–", (image) => image.metadata.length],
];

export async function render(main, { key, signal, go }) {
  const chosen = Object.fromEntries(new URLSearchParams(location.search));
  const list = { kind: chosen.kind, root: chosen.root, path: chosen.path, min_images: chosen.min, sort: chosen.sort ?? "reclaimable", order: chosen.order };
  const [group, roots] = await Promise.all([get(`/groups/${encodeURIComponent(key)}`, list, signal), get("/roots", { limit: 200 }, signal)]);
  state.roots = { items: roots.items };
  const { items } = group.images;
  const [reference] = items;
  const { name } = split(reference?.path ?? "");
  document.title = `${name} · ${t("app.name")}`;
  const to = (id) => `/groups/${id}${address(chosen).slice(1)}`;
  const best = bestFacts(items);
  const images = h("div", { class: `images n${Math.min(items.length, 4)}` }, items.map((image) => figure(image, best)));

  show(main,
    h("nav", { class: "crumbs", "aria-label": t("group.place") },
      h("a", { href: address(chosen) }, icon("left", 16), t("nav.groups")),
      h("span", { class: "steps" }, step("left", group.previous && to(group.previous)), step("right", group.following && to(group.following)))),
    h("header", { class: "group-head" },
      h("h1", {}, name), kindChip(group.kind),
      h("p", { class: "quiet" }, [t("group.images", { n: group.images.total }), t("group.gain", { size: bytes(group.reclaimable_bytes) }),
        group.kind === "exact" ? "" : t("group.sure", { share: percent(group.confidence) })].filter(Boolean).join(" · ")),
      // Equal bytes are duplicates whatever anybody says.
      group.kind === "exact" ? null : h("button", { type: "button", title: t("group.not_duplicates.help"), onclick: () => deny(group, to, chosen, go) },
        icon("close", 16), t("group.not_duplicates"))),
    images,
    group.images.next ? h("button", { class: "wide", type: "button", onclick: (event) => more(event, group, images, best) },
      t("group.more", { n: group.images.total - items.length })) : null);

  addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) return;
    if (event.key === "ArrowLeft" && group.previous) go(to(group.previous));
    if (event.key === "ArrowRight" && group.following) go(to(group.following));
    if (event.key === "Escape") go(address(chosen));
  }, { signal });
  live.addEventListener("groups", async () => {
    if (denying === key) return;
    const now = await get(`/groups/${encodeURIComponent(key)}`, list).catch((error) => error);
    if (!signal.aborted && now.changed !== group.changed) go(location.href, { replace: true, keepScroll: true });
  }, { signal });
  if (group.following) preload(group.following, list);
}

let denying = "";

async function deny(group, to, chosen, go) {
  denying = group.id;
  try {
    const { batch } = await post(`/groups/${encodeURIComponent(group.id)}/not-duplicates`);
    toast(t("group.denied"), "good", [t("action.undo"), async () => { await remove(`/verdicts/${batch}`); go(to(group.id)); }]);
    await go(group.following ? to(group.following) : address(chosen));
  } catch (error) {
    toast(errorText(error), "wrong");
  } finally {
    denying = "";
  }
}

// The next group is asked for now, so that its pictures are there when it is turned to.
async function preload(id, list) {
  const next = await get(`/groups/${id}`, list).catch(() => null);
  for (const image of next?.images.items.slice(0, 4) ?? []) if (image.thumbnail) new Image().src = image.thumbnail;
}

async function more(event, group, images, best) {
  const button = event.currentTarget;
  button.disabled = true;
  const page = await get(`/groups/${group.id}`, { cursor: group.images.next });
  images.append(...page.images.items.map((image) => figure(image, best)));
  if (page.images.next) { group.images.next = page.images.next; button.disabled = false; } else button.remove();
}

function step(side, target) {
  const label = t(side === "left" ? "group.previous" : "group.next");
  return target ? h("a", { class: "button square", href: target, title: label, "aria-label": label }, icon(side))
    : h("span", { class: "button square", "aria-disabled": "true", title: label }, icon(side));
}

// The best value of each fact, where the images differ in it at all.
function bestFacts(items) {
  return Object.fromEntries(FACTS.filter(([, , value]) => value).map(([fact, , value]) => {
    const values = items.map(value);
    const most = Math.max(...values);
    return [fact, values.every((one) => one === most) ? null : most];
  }));
}

function figure(image, best) {
  const { name } = split(image.path);
  return h("figure", { class: image.reference ? "image is-reference" : "image" },
    h("button", { class: "picture", type: "button", onclick: () => enlarge(image) },
      thumbnail(image, { eager: true, alt: t("image.enlarge", { name }) }),
      image.reference ? h("span", { class: "badge" }, icon("star", 13), t("group.reference")) : null),
    h("figcaption", {},
      h("p", { class: "evidence" }, evidenceText(image)),
      h("h2", {}, name),
      h("p", { class: "where", title: image.path }, folderText(image), image.protected ? h("span", { class: "lock", title: t("root.protected") }, icon("lock", 14)) : null),
      image.also_at.length ? h("details", { class: "also" }, h("summary", {}, t("image.also_at", { n: image.also_at.length })),
        h("ul", {}, image.also_at.map((path) => h("li", {}, safe(path))))) : null,
      h("dl", { class: "facts" }, FACTS.map(([fact, text, value]) => {
        const wins = value && best[fact] !== null && value(image) === best[fact];
        return [h("dt", {}, t(`fact.${fact}`)), h("dd", { class: wins ? "best" : "" }, text(image), wins ? h("span", { class: "sr" }, t("fact.best")) : null)];
      }), image.reference || image.kind === "exact" ? null : [h("dt", {}, t("fact.distance")), h("dd", {}, t("fact.bits", { n: image.distance }))]),
      h("div", { class: "links" },
        h("a", { href: image.content, target: "_blank", rel: "noopener" }, icon("open", 15), t("image.original")),
        h("button", { class: "link", type: "button", onclick: () => copyPath(image.path) }, icon("copy", 15), t("image.copy_path")))));
}

async function copyPath(path) {
  try {
    await navigator.clipboard.writeText(path);
    toast(t("image.copied"));
  } catch {
    // No clipboard without https, away from this machine: the path is shown for copying by hand.
    prompt(t("image.copy_path"), path);
  }
}

// The original where a browser can show it, the view where it cannot.
function enlarge(image) {
  const { name } = split(image.path);
  const picture = h("img", { src: image.content, alt: name });
  picture.addEventListener("error", () => { if (picture.src !== new URL(image.thumbnail, location).href) picture.src = image.thumbnail; }, { once: true });
  const dialog = h("dialog", { class: "lightbox", "aria-label": name, onclick: () => dialog.close(), onclose: () => dialog.remove() },
    picture, h("p", {}, safe(image.path), " · ", number(image.width), " × ", number(image.height)),
    h("button", { class: "plain", type: "button", autofocus: true, "aria-label": t("action.close") }, icon("close", 22)));
  document.body.append(dialog);
  dialog.showModal();
}
