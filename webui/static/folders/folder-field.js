// A field for the path of a folder of the server, with the folders in it below: typing completes, a click opens one.

import { get } from "../core/api.js";
import { debounced } from "../core/debounce.js";
import { h, icon } from "../core/dom.js";
import { errorText, safe, t } from "../core/text.js";

const ASK_MS = 150;

// Makes the field; `id` is unique in the document, `known` are paths to offer before any folder of the server.
// `value()` is the path for REST, `fill(path)` sets it, `refuse(text)` shows why it was not accepted.
export function folderField({ id, label, known = [] }) {
  const exact = new Map();
  let shown = [];
  let active = -1;
  let asking = null;

  const list = h("ul", { class: "folder-list", id: `${id}-list`, role: "listbox", "aria-label": t("folder.list") });
  const refused = h("p", { class: "notice wrong", id: `${id}-refused`, role: "alert", hidden: true });
  const note = h("p", { class: "help", hidden: true });
  const input = h("input", {
    type: "text",
    id,
    name: id,
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-expanded": "true",
    "aria-controls": list.id,
    "aria-describedby": refused.id,
    placeholder: "/",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    oninput: () => {
      refused.hidden = true;
      loadSoon();
    },
    onkeydown: onKey,
  });
  const element = h("div", { class: "folder-field" }, h("label", { for: id }, label), input, refused, list, note);

  const loadSoon = debounced(() => load(), ASK_MS);
  const sent = (text) => exact.get(text.replace(/(.)\/+$/, "$1")) ?? text;

  async function load() {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    const text = input.value.trim();
    // A slash at the end asks for what is in the folder, also where its name begins another's.
    const under = text.endsWith("/") ? `${sent(text).replace(/\/$/, "")}/` : sent(text);
    try {
      const found = await get("/folders", { under }, signal);
      const offered = found.items.map(({ path, uri, name, watched }) => ({ path, uri, name, watched }));
      const first = text ? [] : known.map((path) => ({ path, uri: path, name: path, watched: true }));
      const up = found.parent === null || !text ? [] : [{ up: true, uri: found.parent }];
      const seen = new Set(first.map(({ path }) => path));
      draw([...up, ...first, ...offered.filter(({ path }) => !seen.has(path))]);
      note.textContent = noteOn(found, text, offered.length + first.length);
      note.hidden = !note.textContent;
    } catch (error) {
      if (error.name === "AbortError") return;
      draw([]);
      note.textContent = error.code === "setup_needs_token" ? errorText(error) : t("folder.not_listed");
      note.hidden = false;
    }
  }

  function noteOn(found, text, count) {
    if (found.cut) return t("folder.cut");
    if (count) return "";
    return t(text && found.offered ? "folder.none_below" : "folder.not_listed");
  }

  function draw(items) {
    shown = items;
    active = -1;
    input.removeAttribute("aria-activedescendant");
    for (const { path, uri } of items) if (path) exact.set(path, uri);
    list.replaceChildren(
      ...items.map((item, place) =>
        h(
          "li",
          {
            id: `${id}-${place}`,
            role: "option",
            "aria-selected": "false",
            title: item.up ? null : item.path,
            onmousedown: (event) => event.preventDefault(),
            onclick: () => open(item),
          },
          icon(item.up ? "up" : "folder", 16),
          h("span", {}, item.up ? t("folder.up") : safe(item.name)),
          item.watched ? h("small", {}, t("folder.watched")) : null,
        ),
      ),
    );
    list.hidden = !items.length;
  }

  function open(item) {
    if (item.up) {
      const above = input.value.trim().replace(/\/+[^/]*\/*$/, "");
      // At the top of what is offered there is nothing to list above.
      input.value = item.uri ? `${input.value.endsWith("/") ? above : above.replace(/\/+[^/]*$/, "")}/` : "";
    } else {
      input.value = `${item.path.replace(/\/$/, "")}/`;
    }
    input.focus();
    load();
  }

  function mark(place) {
    active = place;
    for (const [number, option] of [...list.children].entries()) {
      option.setAttribute("aria-selected", String(number === place));
      if (number === place) option.scrollIntoView({ block: "nearest" });
    }
    if (place < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${id}-${place}`);
  }

  function onKey(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!shown.length) return;
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      mark((Math.max(active, step < 0 ? 0 : -1) + step + shown.length) % shown.length);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      open(shown[active]);
    } else if (event.key === "Escape" && active >= 0) {
      event.preventDefault();
      mark(-1);
    }
  }

  load();
  return {
    element,
    input,
    value: () => {
      const text = input.value.trim();
      return text === "/" ? text : sent(text).replace(/(.)\/+$/, "$1");
    },
    fill: (path) => {
      input.value = path;
      load();
    },
    refuse: (error) => {
      refused.textContent = errorText(error);
      refused.hidden = false;
      refused.scrollIntoView({ block: "nearest" });
    },
  };
}
