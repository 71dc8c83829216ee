// The review of one group: two of its images compared, their facts, and a decision for each, by key or by pointer.

import { createCompare } from "../compare/compare.js";
import { pageOf } from "../compare/paging.js";
import { placement } from "../compare/placement.js";
import { createSurvey } from "../compare/survey.js";
import { openHelp } from "../components/key-help.js";
import { bindKeys, keyFrom, withKey } from "../components/keys.js";
import { size, thumbnail } from "../components/pictures.js";
import { toast } from "../components/toast.js";
import { get } from "../core/api.js";
import { h, icon, show } from "../core/dom.js";
import { loadRoots } from "../core/live.js";
import { read, subscribe } from "../core/store.js";
import { errorText, percent, split, t } from "../core/text.js";
import { groupQuery, listAddress } from "../review/addresses.js";
import { actionsBar, head } from "../review/bars.js";
import { decisionChip, keepOnlyButton, quickButtons } from "../review/decision-chips.js";
import {
  acceptProposal,
  choiceOf,
  decide,
  deny,
  followDecisions,
  keepOnly,
  takeOver,
  undo,
} from "../review/decisions.js";
import { askDenial, askDestination } from "../review/dialogs.js";
import { factsTable, matchText, proposalText } from "../review/facts.js";
import { inOpeningOrder } from "../review/opening-order.js";
import { loadGroup, prefetchGroup } from "../review/prefetch.js";
import { closeSimilar, similarPictures } from "../review/similar.js";
import { startFolderRule } from "../rules/draft.js";
import { LAST_KEY } from "./groups.js";

const HELD_MS = 300;
const ZOOM_STEP = 1.4;
// A survey of fewer images would show no more than a comparison.
const SURVEYED_FROM = 3;
const SURVEY_KEY = "comparimg-survey";
const PAN_DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export async function render(main, { key, signal, go, goBack }) {
  const chosen = Object.fromEntries(new URLSearchParams(location.search));
  const query = groupQuery(chosen);
  const roots = read("roots").items.length ? null : loadRoots(signal);
  const [group] = await Promise.all([loadGroup(key, query, signal), roots]);
  group.search = chosen.search;
  showReview(main, group, { chosen, query, signal, go, goBack });
}

// `chosen` is the query of the list's address, `query` the same as REST takes it.
function showReview(main, group, { chosen, query, signal, go, goBack }) {
  sessionStorage.setItem(LAST_KEY, group.id);
  const images = group.images.items;
  // Numbered from left to right: the proposed image is the first, and the left one of a pair.
  images.splice(0, images.length, ...inOpeningOrder(images, group.proposal?.image));
  const path = `/groups/${encodeURIComponent(group.id)}`;
  const reference = images.find((image) => image.reference) ?? images[0];
  // Places in `images`: the anchor is compared with the selected image, or with `other` while the anchor is selected.
  let anchor = 0;
  let selected = Math.min(1, images.length - 1);
  let other = selected;
  let leaving = false;
  restoreSelection();

  const keepByTouch = (image) => {
    keepAlone(image);
    // A click or a swipe may have been meant otherwise.
    toast(t("review.accepted"), "good", [t("action.undo"), undoLast]);
  };
  const compare = createCompare({
    onSwipe: (direction, pane) => {
      if (direction === "up") keepByTouch(comparedImages()[pane]?.image ?? images[anchor]);
      else walk(direction === "left" ? "following" : "previous");
    },
    tools: images.length >= SURVEYED_FROM ? [surveyButton("survey", () => setSurvey(true))] : [],
  });
  const pager = surveyPager(turnPage);
  const survey = createSurvey({
    onChoose: (place) => keepByTouch(images[shownPlaces()[place]]),
    onSwipe: (direction) =>
      turnPage(direction === "left" ? 1 : -1) || walk(direction === "left" ? "following" : "previous"),
    tools: [surveyButton("side", () => setSurvey(false)), pager.element],
  });
  const viewer = h("div", { class: "viewer" });
  let surveying = images.length >= SURVEYED_FROM && localStorage.getItem(SURVEY_KEY) === "on";
  const zoomed = () => (surveying ? survey : compare);
  const strip = h("ol", { class: "strip", "aria-label": t("group.all_images") });
  const facts = h("div", { class: "facts-place" });
  const match = h("div", { class: "verdict" });
  const similar = similarPictures(() => images[selected]);

  const addressOf = (id) => `/groups/${id}${listAddress(chosen).slice(1)}`;
  const numberOf = (id) => images.findIndex((image) => image.id === id) + 1;
  // A link replaces a file whose bytes another image of the group has.
  const isLinkable = (image) => images.some(({ id, digest }) => id !== image.id && digest === image.digest);

  // The anchor and the image compared with it, as [{image, number, role}].
  function comparedImages() {
    const places = anchor === selected ? [anchor, other] : [anchor, selected];
    return [...new Set(places)].map((place) => ({
      image: images[place],
      number: place + 1,
      selected: place === selected,
      role: images[place].reference ? t("group.reference") : "",
    }));
  }

  // Drawing

  function draw() {
    const compared = comparedImages();
    if (surveying) drawSurvey();
    else drawCompare(compared);
    drawMatch(compared);
    drawFacts(compared);
    drawStrip(compared);
  }

  const sideOf = (image, number, isSelected) => ({
    picture: asPicture(image),
    label: paneLabel(image, number, isSelected),
    selected: isSelected,
    actions: [
      keepOnlyButton(image, () => keepAlone(image)),
      ...quickButtons(image, split(image.path).name, (choice, event) => choose(image, choice, event)),
    ],
    matrix: placement(asPicture(image), asPicture(reference), image.reference ? {} : image.evidence),
  });

  function drawCompare(compared) {
    viewer.replaceChildren(compare.element);
    const [first, second] = compared.map(({ image, number, selected: isSelected }) =>
      sideOf(image, number, isSelected),
    );
    compare.show(first, second ?? first);
    // A change of tone would colour the whole difference, and hide everything else.
    compare.suggestTones(compared.some(({ image }) => image.evidence.tone));
  }

  // The places in `images` of those in the survey: the page with the selected one.
  function shownPlaces() {
    const [first, end] = pageOf(selected, images.length);
    return Array.from({ length: end - first }, (_, n) => first + n);
  }

  function drawSurvey() {
    viewer.replaceChildren(survey.element);
    const places = shownPlaces();
    survey.show(places.map((place) => sideOf(images[place], place + 1, place === selected)));
    pager.draw(places[0] + 1, places.at(-1) + 1, group.images.total);
  }

  function setSurvey(on) {
    if (on && images.length < SURVEYED_FROM) return;
    surveying = on;
    localStorage.setItem(SURVEY_KEY, on ? "on" : "off");
    draw();
  }

  // Turns to the page of the survey after this one (1) or before it (-1); false if there is none.
  function turnPage(step) {
    const places = shownPlaces();
    const place = step > 0 ? places.at(-1) + 1 : places[0] - 1;
    if (place < 0 || place >= group.images.total) return false;
    select(place);
    return true;
  }

  function drawMatch(compared) {
    const matched = compared.find(({ image }) => image.id !== reference.id)?.image ?? reference;
    const copy = compared.find(({ image }) => image.id !== group.proposal?.image)?.image;
    // What was done to the proposed image to get the other one; without that, how the other differs from the reference.
    const described = copy?.sentence ? copy : matched;
    const weakest =
      group.weakest && group.images.total > 2
        ? h("p", { class: "quiet weakest" }, weakestText(group.weakest, numberOf(group.weakest.image)))
        : null;
    const proposal = proposalText(group, compared, (id) => numberOf(id) || "?");
    match.replaceChildren(...[matchText(described, matched), weakest, proposal].filter(Boolean));
  }

  // Whether nothing contradicts the proposed image, apart from those compared. An enlarged or re-saved picture has
  // larger numbers, but is not better.
  function speaksAlone(compared) {
    if (!group.proposal) return false;
    if (!group.proposal.tie) return true;
    const shown = compared.map(({ image }) => image.id);
    const found = group.proposal.speaking.filter(({ image, other }) => shown.includes(image) && shown.includes(other));
    return found.length > 0 && found.every(({ image }) => image === group.proposal.image);
  }

  function drawFacts(compared) {
    const table = factsTable(compared, {
      proposed: group.proposal?.image,
      surely: speaksAlone(compared) ? group.proposal.image : undefined,
      linkable: isLinkable,
      choose,
    });
    facts.replaceChildren(...[table, folderRuleButton(compared, go)].filter(Boolean));
    closeSimilar(similar, images[selected]);
  }

  function drawStrip(compared) {
    const items = images.map((image, place) => {
      const role = place === anchor ? "anchor" : compared.some(({ number }) => number === place + 1) ? "other" : "";
      return h("li", { class: role }, stripButton(image, place));
    });
    const missing = group.images.total - images.length;
    const more = h(
      "button",
      { type: "button", class: "more-images", onclick: loadMore },
      t("group.more", { n: missing }),
    );
    strip.replaceChildren(...items, ...(group.images.next ? [h("li", {}, more)] : []));
  }

  function stripButton(image, place) {
    const { name } = split(image.path);
    const isProposed = image.id === group.proposal?.image;
    return h(
      "button",
      {
        type: "button",
        "aria-current": place === selected ? "true" : null,
        title: name,
        onclick: () => select(place),
      },
      thumbnail(image, { eager: place < 12 }),
      h("span", { class: "number" }, String(place + 1)),
      decisionChip(image),
      isProposed ? h("span", { class: "strip-star", title: t("proposal.help") }, icon("star", 13)) : null,
    );
  }

  async function select(place) {
    if (place === images.length && group.images.next) await loadMore();
    if (place < 0 || place >= images.length) return;
    selected = place;
    if (place !== anchor) other = place;
    draw();
    strip.children[place]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // Drawn again because the service changed the group, the review keeps what was selected: the next key must not act on
  // another image.
  function selection() {
    return { group: group.id, anchor: images[anchor]?.id, selected: images[selected]?.id, other: images[other]?.id };
  }

  function restoreSelection() {
    const kept = history.state?.selection;
    if (!kept) return;
    history.replaceState({ ...history.state, selection: null }, "");
    const [first, chosenPlace, second] = [kept.anchor, kept.selected, kept.other].map((id) =>
      images.findIndex((image) => image.id === id),
    );
    if (kept.group === group.id && first >= 0 && chosenPlace >= 0 && second >= 0)
      [anchor, selected, other] = [first, chosenPlace, second];
  }

  function setAnchor(place) {
    if (place < 0 || place >= images.length) return;
    if (place === other) other = anchor;
    anchor = place;
    selected = other;
    draw();
  }

  async function loadMore() {
    const button = strip.querySelector(".more-images");
    if (button.disabled) return;
    button.disabled = true;
    const page = await get(path, { cursor: group.images.next, search: chosen.search }, signal);
    images.push(...page.images.items);
    group.images.next = page.images.next;
    draw();
  }

  // Decisions

  async function choose(image, choice, event) {
    const button = event?.currentTarget;
    let destination;
    if (choice === "move") {
      try {
        destination = await askDestination();
      } catch (error) {
        toast(errorText(error), "wrong");
      }
      if (!destination) return;
    }
    const hadFocus = button && button === document.activeElement;
    decide(group, [{ image: image.id, choice, ...(destination ? { destination } : {}) }]);
    // The buttons were drawn again: the focus returns to the one that was pressed.
    if (hadFocus) {
      const { choice: focused } = button.dataset;
      document.querySelector(`.review [data-choice="${focused}"][data-image="${image.id}"]`)?.focus();
    }
  }

  function chooseSelected(choice) {
    const image = images[selected];
    if (choice !== "keep" && choice !== "undecided" && image.protected) {
      toast(t("error.protected"), "wrong");
      return;
    }
    if (choice === "link" && !isLinkable(image)) {
      toast(t("link.only_exact"), "wrong");
      return;
    }
    choose(image, choice);
    // Selects the next undecided image, so that a sequence of keys decides the group.
    const next = images.findIndex((candidate, place) => place > selected && choiceOf(candidate) === "undecided");
    if (choice !== "undecided" && choice !== "move" && next > 0) select(next);
  }

  const accept = () => decideAndGoOn(acceptProposal(group));
  const keepAlone = (image) => decideAndGoOn(keepOnly(group, image));

  // `accepted` resolves to whether the service has accepted.
  async function decideAndGoOn(accepted) {
    if (group.following) {
      walk("following");
      // The next group is shown at once; if the service refuses, back to this one. A toast gives the reason.
      if (!(await accepted)) go(addressOf(group.id), { replace: true });
    } else if (await accepted) {
      go(`/end${listAddress(chosen).slice(1)}`, { replace: true });
    }
  }

  async function denyGroup() {
    if (group.kind === "exact") {
      toast(t("deny.exact"), "wrong");
      return;
    }
    const pair = comparedImages().map(({ image }) => image.id);
    const answer = await askDenial(pair, group.images.total);
    if (!answer) return;
    leaving = true;
    try {
      await deny(group, answer.label, answer.images);
      toast(t("group.denied"), "good", [t("action.undo"), undoLast]);
      const next = answer.images.length ? group.id : group.following;
      if (next) await go(addressOf(next), { replace: true });
      else goBack(listAddress(chosen));
    } catch (error) {
      leaving = false;
      toast(errorText(error), "wrong");
    }
  }

  async function undoLast() {
    const undone = await undo();
    if (!undone) return;
    const list = undone.search === chosen.search ? chosen : { search: undone.search };
    await go(`/groups/${undone.id}${listAddress(list).slice(1)}`, { replace: true });
  }

  // Navigation

  function walk(side) {
    const target = group[side];
    // One entry of the history for the whole review: the browser goes back to the list.
    if (target) go(addressOf(target), { replace: true });
    else toast(t(side === "following" ? "review.at_end" : "review.at_start"));
  }

  // Opens the next undecided group, whichever filter the list has.
  async function skip() {
    try {
      const { following } = await get(path, { ...query, decided: "none,partly", limit: 1 }, signal);
      if (following) await go(addressOf(following), { replace: true });
      else toast(t("review.at_end"));
    } catch (error) {
      if (error.name !== "AbortError") toast(errorText(error), "wrong");
    }
  }

  // Pressed, the key shows the other picture; held, only until it is released.
  function flick(key) {
    const pressedAt = Date.now();
    if (surveying) setSurvey(false);
    compare.flick();
    const onKeyup = (event) => {
      if (keyFrom(event).key !== key) return;
      removeEventListener("keyup", onKeyup);
      if (Date.now() - pressedAt > HELD_MS) compare.flick();
    };
    addEventListener("keyup", onKeyup, { signal });
  }

  function bind() {
    // A digit is the number of an image; in a survey, the last digit of its number.
    const placeOf = (key) => {
      const digit = Number(key.at(-1));
      return surveying ? (shownPlaces().find((place) => (place + 1) % 10 === digit) ?? -1) : (digit || 10) - 1;
    };
    bindKeys(
      {
        image: (key) => select(placeOf(key)),
        anchor: (key) => setAnchor(placeOf(key)),
        image_before: () => select(selected - 1),
        image_after: () => select(selected + 1),
        keep: () => chooseSelected("keep"),
        trash: () => chooseSelected("trash"),
        move: () => chooseSelected("move"),
        link: () => chooseSelected("link"),
        clear: () => chooseSelected("undecided"),
        accept,
        keep_only: () => keepAlone(images[selected]),
        deny: denyGroup,
        undo: undoLast,
        next: () => walk("following"),
        previous: () => walk("previous"),
        skip,
        plan: () => go("/plan"),
        back: () => goBack(listAddress(chosen)),
        survey: () => setSurvey(!surveying),
        page_after: () => surveying && turnPage(1),
        page_before: () => surveying && turnPage(-1),
        mode: () => (surveying ? setSurvey(false) : compare.nextMode()),
        flick,
        tones: compare.toggleTones,
        zoom: () => zoomed().toggleZoom(),
        zoom_in: () => zoomed().zoomBy(ZOOM_STEP),
        zoom_out: () => zoomed().zoomBy(1 / ZOOM_STEP),
        pan: (key) => zoomed().panBy(...PAN_DIRECTIONS[key.replace("Shift+", "")]),
        help: openHelp,
      },
      signal,
    );
    const onDecided = (id) => {
      if (id === group.id) draw();
    };
    const onGroups = async () => {
      if (leaving) return;
      const current = await get(path, query).catch((error) => error);
      if (signal.aborted || leaving || current.changed === group.changed) return;
      go(location.href, { replace: true, keepScroll: true, state: { selection: selection() } });
    };
    // Those that another tab, a rule or a program has made.
    const onDecisions = async (isCurrent) => {
      const current = await get(path, { ...query, limit: Math.min(200, images.length) }, signal);
      if (isCurrent() && takeOver(group, current)) draw();
    };
    subscribe("decided", onDecided, { signal });
    subscribe("groups", onGroups, { signal });
    followDecisions(onDecisions, signal);
  }

  // As on its card: the proposed image is the first.
  const { name } = split(images[0]?.path ?? "");
  document.title = `${name} · ${t("app.name")}`;
  document.body.dataset.reviewing = "";
  signal.addEventListener("abort", () => {
    compare.close();
    survey.close();
    delete document.body.dataset.reviewing;
  });
  const hasStrip = images.length > 2 || group.images.next;
  show(
    main,
    h(
      "div",
      { class: "review" },
      head(group, name, { back: listAddress(chosen), goBack, addressOf, signal }),
      viewer,
      hasStrip ? strip : null,
      h(
        "aside",
        { class: "review-side", "aria-label": t("review.side") },
        h(
          "div",
          { class: "review-known", tabindex: "0", role: "region", "aria-label": t("review.side") },
          match,
          facts,
          similar,
        ),
        actionsBar(group, { undo: undoLast, deny: denyGroup, skip, accept }),
      ),
    ),
  );
  draw();
  bind();
  if (group.following) prefetchGroup(group.following, query, signal);
}

const paneLabel = (image, number, selected) => [
  h("span", { class: "number" }, String(number)),
  selected ? h("span", { class: "sr" }, t("group.selected")) : null,
  h("span", { class: "pane-name" }, split(image.path).name),
  h("span", { class: "pane-size" }, size(image)),
  decisionChip(image),
];

function surveyButton(name, action) {
  const label = t(name === "survey" ? "survey.show" : "survey.leave");
  return h(
    "button",
    {
      type: "button",
      class: "tool",
      title: t(name === "survey" ? "survey.show.help" : "survey.leave"),
      onclick: action,
    },
    icon(name, 17),
    h("span", {}, label),
  );
}

// The steps between the pages of a survey, and which images of how many are shown; empty if all are.
function surveyPager(turn) {
  const text = h("output", { class: "survey-range" });
  const button = (name, step, label) =>
    h(
      "button",
      { type: "button", class: "tool square", title: label, "aria-label": label, onclick: () => turn(step) },
      icon(name, 17),
    );
  const before = button("left", -1, withKey(t("survey.before"), "page_before"));
  const after = button("right", 1, withKey(t("survey.after"), "page_after"));
  const element = h("div", { class: "survey-pager" }, before, text, after);
  const draw = (first, last, total) => {
    text.textContent = t("survey.range", { first, last, total });
    before.disabled = first === 1;
    after.disabled = last === total;
    element.hidden = first === 1 && last === total;
  };
  return { element, draw };
}

// Starts a rule from the folders of a pair: the images in the first are kept.
function folderRuleButton(compared, go) {
  // The path if it can be written in full, else the URI, which is exact for any bytes.
  const [keep, giveWay] = compared
    .map(({ image: { path, uri } }) => (path.includes("\ufffd") ? uri : path))
    .map((file) => file.slice(0, file.lastIndexOf("/")));
  if (!giveWay || keep === giveWay) return null;
  const start = () => {
    startFolderRule(keep, giveWay);
    go("/rules");
  };
  return h(
    "button",
    { type: "button", class: "link folder-pair", title: `${keep}\n${giveWay}`, onclick: start },
    icon("folder", 16),
    t("rules.folders.start"),
  );
}

// `number` is 0 if the image of a large group is not loaded yet.
function weakestText({ confidence }, number) {
  const share = percent(confidence);
  return number ? t("group.weakest", { n: String(number), share }) : t("group.weakest.not_loaded", { share });
}

// A file that can no longer be read as a picture has no size: the pane stays empty, and its facts are shown.
const asPicture = ({ width, height, format, orientation, thumbnail: preview, content, crop }) => ({
  width: width || 1,
  height: height || 1,
  format,
  orientation,
  preview,
  content,
  crop,
});
