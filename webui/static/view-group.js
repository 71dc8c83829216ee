// The review of one group: two of its images compared, what is known of them, and a decision for each, by key or hand.

import { get } from "./api.js";
import { Compare } from "./compare.js";
import { placement } from "./compare-placing.js";
import { acceptProposal, choiceOf, decide, decisions, deny, settled, undo } from "./decisions.js";
import { h, icon, show } from "./dom.js";
import { bindKeys, openHelp } from "./keys.js";
import { live, state } from "./live.js";
import { markChip, quickMarks } from "./marks.js";
import { kindChip, size, thumbnail } from "./pictures.js";
import { progressLine } from "./progress.js";
import { askDenial, askDestination } from "./review-dialogs.js";
import { factsTable, matchText, proposalText } from "./review-facts.js";
import { startFolderRule } from "./rules-kept.js";
import { bytes, errorText, percent, split, t } from "./text.js";
import { toast } from "./toast.js";
import { address } from "./view-groups.js";

// A group that was asked for ahead is shown as it was then, for so long.
const AHEAD_MS = 20000;
const PRELOADED_BYTES = 12e6;
let ahead = { id: "", at: 0, group: null };

export async function render(main, { key, signal, go }) {
  const chosen = Object.fromEntries(new URLSearchParams(location.search));
  const list = { kind: chosen.kind, root: chosen.root, path: chosen.path, min_images: chosen.min, decided: chosen.decided,
    sort: chosen.sort ?? "reclaimable", order: chosen.order };
  const [group] = await Promise.all([take(key, list, signal), knowRoots(signal)]);
  new Review(main, group, { chosen, list, signal, go }).start();
}

async function knowRoots(signal) {
  if (!state.roots.items.length) state.roots = { items: (await get("/roots", { limit: 200 }, signal)).items };
}

async function take(key, list, signal) {
  const known = ahead;
  ahead = { id: "", at: 0, group: null };
  if (known.id === key + JSON.stringify(list) && Date.now() - known.at < AHEAD_MS) {
    const group = await known.group;
    if (group) return group;
  }
  await settled();
  return get(`/groups/${encodeURIComponent(key)}`, list, signal);
}

class Review {
  constructor(main, group, { chosen, list, signal, go }) {
    Object.assign(this, { main, group, chosen, list, signal, go });
    this.images = group.images.items;
    this.reference = this.images.find((image) => image.reference) ?? this.images[0];
    const proposed = this.images.findIndex((image) => image.id === group.proposal?.image);
    this.anchor = Math.max(0, proposed);
    this.selected = this.anchor === 0 ? Math.min(1, this.images.length - 1) : 0;
    this.other = this.selected;
  }

  start() {
    const { group, signal } = this;
    const { name } = split(this.reference?.path ?? "");
    document.title = `${name} · ${t("app.name")}`;
    this.compare = new Compare({ swipe: (direction) => this.#walk(direction === "left" ? "following" : "previous") });
    this.strip = h("ol", { class: "strip", "aria-label": t("group.all_images") });
    this.facts = h("div", { class: "facts-place" });
    this.verdict = h("div", { class: "verdict" });
    show(this.main, h("div", { class: "review" }, this.#head(name), this.compare.element,
      this.images.length > 2 || group.images.next ? this.strip : null,
      h("aside", { class: "review-side", "aria-label": t("review.side") },
        h("div", { class: "review-known", tabindex: "0", role: "region", "aria-label": t("review.side") }, this.verdict, this.facts), this.#actions())));
    document.body.dataset.reviewing = "";
    signal.addEventListener("abort", () => { this.compare.close(); delete document.body.dataset.reviewing; });
    this.#draw();
    this.#bind();
    if (group.following) this.#preload(group.following);
  }

  #head(name) {
    const { group } = this;
    const step = (side, target) => {
      const title = t(side === "left" ? "group.previous" : "group.next");
      return target ? h("a", { class: "button square", href: this.#to(target), title, "aria-label": title }, icon(side))
        : h("button", { type: "button", class: "square", disabled: true, title, "aria-label": title }, icon(side));
    };
    return h("header", { class: "review-head" },
      h("a", { class: "back", href: address(this.chosen) }, icon("left", 16), h("span", {}, t("nav.groups"))),
      h("h1", {}, name),
      h("p", { class: "quiet" }, kindChip(group.kind), h("span", {}, [t("group.images", { n: group.images.total }), t("group.gain", { size: bytes(group.reclaimable_bytes) })].join(" · "))),
      progressLine(this.signal),
      h("span", { class: "steps" }, step("left", group.previous), step("right", group.following),
        h("button", { type: "button", class: "plain square", title: t("keys.open"), "aria-label": t("keys.open"), onclick: openHelp }, icon("keyboard", 20))));
  }

  #actions() {
    const act = (name, key, label, action, extra = "") => h("button", { type: "button", class: `act ${extra}`, data: { act: name }, onclick: action },
      label, h("kbd", { "aria-hidden": "true" }, key));
    return h("div", { class: "actions-bar", role: "group", "aria-label": t("review.actions") },
      act("undo", "u", [icon("undo", 17), h("span", {}, t("action.undo"))], () => this.#undo()),
      this.group.kind === "exact" ? null : act("deny", "b", [icon("close", 17), h("span", { title: t("group.not_duplicates.help") }, t("review.deny"))], () => this.#deny()),
      act("skip", "s", [icon("skip", 17), h("span", {}, t("review.skip"))], () => this.#skip()),
      act("accept", "a", [icon("check", 18), h("span", {}, t("review.accept"))], () => this.#accept(), "primary"));
  }

  // What is on the screen

  #draw() {
    const { group } = this;
    const shown = this.#shown();
    const numberOf = (id) => this.images.findIndex((image) => image.id === id) + 1;
    const label = ({ image, number }) => [h("span", { class: "number" }, String(number)), h("span", { class: "pane-name" }, split(image.path).name),
      h("span", { class: "pane-size" }, size(image)), markChip(image)];
    const [first, second] = shown.map((one) => ({ picture: asPicture(one.image), label: label(one),
      actions: quickMarks(one.image, split(one.image.path).name, (choice) => this.#choose(one.image, choice)),
      matrix: placement(asPicture(one.image), asPicture(this.reference), one.image.reference ? {} : one.image.evidence) }));
    this.compare.show(first, second ?? first);
    const described = shown.find(({ image }) => image.id !== this.reference.id)?.image ?? this.reference;
    const weakest = group.weakest && group.images.total > 2
      ? h("p", { class: "quiet weakest" }, weakestText(group.weakest, numberOf(group.weakest.image))) : null;
    this.verdict.replaceChildren(...[matchText(described), weakest, proposalText(group, (id) => numberOf(id) || "?")].filter(Boolean));
    this.facts.replaceChildren(...[factsTable(shown, { proposed: group.proposal?.image, linkable: (image) => this.#linkable(image),
      choose: (image, choice, event) => this.#choose(image, choice, event) }), this.#folderPair(shown)].filter(Boolean));
    this.strip.replaceChildren(...this.images.map((image, place) => this.#stripItem(image, place)), ...(group.images.next ? [h("li", {},
      h("button", { type: "button", class: "more-images", onclick: (event) => this.#more(event) }, t("group.more", { n: group.images.total - this.images.length })))] : []));
  }

  // From one pair to a rule: what is in the one folder gives way to what is in the other.
  #folderPair(shown) {
    // By the plain path where that tells all of it, else by the URI, which is exact whatever the bytes.
    const [keep, giveWay] = shown.map(({ image: { path, uri } }) => (path.includes("\ufffd") ? uri : path)).map((place) => place.slice(0, place.lastIndexOf("/")));
    if (!giveWay || keep === giveWay) return null;
    return h("button", { type: "button", class: "link folder-pair", title: `${keep}\n${giveWay}`, onclick: () => { startFolderRule(keep, giveWay); this.go("/rules"); } },
      icon("folder", 16), t("rules.folders.start"));
  }

  // The image compared with, and the one selected.
  #shown() {
    const places = this.anchor === this.selected ? [this.anchor, this.other] : [this.anchor, this.selected];
    return [...new Set(places)].map((place) => ({ image: this.images[place], number: place + 1,
      role: this.images[place].reference ? t("group.reference") : "" }));
  }

  #stripItem(image, place) {
    const { name } = split(image.path);
    const role = place === this.anchor ? "anchor" : this.#shown().some(({ number }) => number === place + 1) ? "other" : "";
    return h("li", { class: role }, h("button", { type: "button", "aria-current": place === this.selected ? "true" : null, title: name,
      "aria-label": t("group.choose", { n: String(place + 1), name }), onclick: () => this.#select(place) },
    thumbnail(image, { eager: place < 12 }), h("span", { class: "number" }, String(place + 1)), markChip(image),
    image.id === this.group.proposal?.image ? h("span", { class: "strip-star", title: t("proposal.help") }, icon("star", 13)) : null));
  }

  #select(place) {
    if (place < 0 || place >= this.images.length) return;
    this.selected = place;
    if (place !== this.anchor) this.other = place;
    this.#draw();
    this.strip.children[place]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #setAnchor(place) {
    if (place >= this.images.length) return;
    if (place === this.other) this.other = this.anchor;
    this.anchor = place;
    this.selected = this.other;
    this.#draw();
  }

  async #more(event) {
    event.currentTarget.disabled = true;
    const { images } = await get(`/groups/${encodeURIComponent(this.group.id)}`, { cursor: this.group.images.next }, this.signal);
    this.images.push(...images.items);
    this.group.images.next = images.next;
    this.#draw();
  }

  // Decisions

  // A link takes the place of a file whose bytes are kept elsewhere in the group.
  #linkable(image) {
    return this.images.some((other) => other.id !== image.id && other.digest === image.digest);
  }

  async #choose(image, choice, event) {
    let destination;
    if (choice === "move") {
      try {
        destination = await askDestination();
      } catch (error) {
        toast(errorText(error), "wrong");
      }
      if (!destination) return;
    }
    const focused = event?.currentTarget?.dataset.choice;
    decide(this.group, [{ image: image.id, choice, ...(destination ? { destination } : {}) }]);
    if (focused) this.facts.querySelectorAll(`[data-choice=${focused}]`)[this.#shown().findIndex((one) => one.image.id === image.id)]?.focus();
  }

  #chooseSelected(choice) {
    const image = this.images[this.selected];
    if (choice !== "keep" && choice !== "undecided" && image.protected) { toast(t("error.protected"), "wrong"); return; }
    if (choice === "link" && !this.#linkable(image)) { toast(t("link.only_exact"), "wrong"); return; }
    this.#choose(image, choice);
    // On to the next that is not decided, so that a run of keys goes through the group.
    const next = this.images.findIndex((other, place) => place > this.selected && choiceOf(other) === "undecided");
    if (choice !== "undecided" && choice !== "move" && next > 0) this.#select(next);
  }

  async #accept() {
    const accepted = acceptProposal(this.group);
    if (this.group.following) {
      this.#walk("following");
      // Refused after we went on: back to where it was, the reason is on a notice.
      if (!await accepted) this.go(this.#to(this.group.id));
    } else if (await accepted) {
      toast(t("review.last"), "good", [t("review.to_plan"), () => this.go("/plan")]);
    }
  }

  async #deny() {
    if (this.group.kind === "exact") { toast(t("deny.exact"), "wrong"); return; }
    const pair = this.#shown().map(({ image }) => image.id);
    const answer = await askDenial(pair, this.group.images.total);
    if (!answer) return;
    this.leaving = true;
    try {
      await deny(this.group, answer.label, answer.images);
      toast(t("group.denied"), "good", [t("action.undo"), () => this.#undo()]);
      await this.go(answer.images.length ? this.#to(this.group.id) : this.group.following ? this.#to(this.group.following) : address(this.chosen));
    } catch (error) {
      this.leaving = false;
      toast(errorText(error), "wrong");
    }
  }

  async #undo() {
    const id = await undo();
    if (id) await this.go(this.#to(id), { replace: id === this.group.id });
  }

  // Ways on

  #to(id) { return `/groups/${id}${address(this.chosen).slice(1)}`; }

  #walk(side) {
    const target = this.group[side];
    if (target) this.go(this.#to(target));
    else toast(t(side === "following" ? "review.at_end" : "review.at_start"));
  }

  // The next group that is not decided yet, whatever the list shows.
  async #skip() {
    try {
      const { following } = await get(`/groups/${encodeURIComponent(this.group.id)}`, { ...this.list, decided: "none,partly", limit: 1 }, this.signal);
      if (following) await this.go(this.#to(following));
      else toast(t("review.at_end"));
    } catch (error) {
      if (error.name !== "AbortError") toast(errorText(error), "wrong");
    }
  }

  // The next group is asked for now, so that it and its pictures are there when it is turned to.
  #preload(id) {
    const group = get(`/groups/${encodeURIComponent(id)}`, this.list, this.signal).catch(() => null);
    ahead = { id: id + JSON.stringify(this.list), at: Date.now(), group };
    group.then((next) => {
      for (const image of next?.images.items.slice(0, 4) ?? []) {
        if (image.thumbnail) new Image().src = image.thumbnail;
        if (image.format === "JPEG" && image.size_bytes < PRELOADED_BYTES) new Image().src = image.content;
      }
    });
  }

  #bind() {
    const { compare, signal } = this;
    const place = (key) => Number(key.at(-1)) - 1;
    bindKeys({
      image: (key) => this.#select(place(key)),
      anchor: (key) => this.#setAnchor(place(key)),
      image_before: () => this.#select(this.selected - 1),
      image_after: () => this.#select(this.selected + 1),
      keep: () => this.#chooseSelected("keep"),
      trash: () => this.#chooseSelected("trash"),
      move: () => this.#chooseSelected("move"),
      link: () => this.#chooseSelected("link"),
      clear: () => this.#chooseSelected("undecided"),
      accept: () => this.#accept(),
      deny: () => this.#deny(),
      undo: () => this.#undo(),
      next: () => this.#walk("following"),
      previous: () => this.#walk("previous"),
      skip: () => this.#skip(),
      plan: () => this.go("/plan"),
      back: () => this.go(address(this.chosen)),
      mode: () => compare.nextMode(),
      flick: () => this.#flick(),
      tones: () => compare.toggleTones(),
      zoom: () => compare.toggleZoom(),
      closer: () => compare.zoomBy(1.4),
      further: () => compare.zoomBy(1 / 1.4),
      pan: (key) => compare.panBy(...{ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key.slice(6)]),
      help: openHelp,
    }, signal);
    decisions.addEventListener("marks", ({ detail }) => { if (detail === this.group.id) this.#draw(); }, { signal });
    live.addEventListener("groups", async () => {
      if (this.leaving) return;
      const now = await get(`/groups/${encodeURIComponent(this.group.id)}`, this.list).catch((error) => error);
      if (!signal.aborted && !this.leaving && now.changed !== this.group.changed) this.go(location.href, { replace: true, keepScroll: true });
    }, { signal });
  }

  // Pressed: the other picture. Held: the other one for as long.
  #flick() {
    const pressedAt = Date.now();
    this.compare.flick();
    const up = (event) => {
      if (event.key.toLowerCase() !== "f") return;
      removeEventListener("keyup", up);
      if (Date.now() - pressedAt > 300) this.compare.flick();
    };
    addEventListener("keyup", up, { signal: this.signal });
  }
}

// Of a large group, the image in question may be among those that are not loaded yet.
function weakestText({ confidence }, place) {
  const share = percent(confidence);
  return place ? t("group.weakest", { n: String(place), share }) : t("group.weakest.further", { share });
}

// A file that can no longer be read as a picture has no size; it is shown as nothing, and its facts beside it.
const asPicture = ({ width, height, format, orientation, thumbnail: preview, content, crop }) => ({ width: width || 1, height: height || 1, format, orientation, preview, content, crop });
