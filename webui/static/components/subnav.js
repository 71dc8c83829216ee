// The sub-navigation: links between the pages of one section.

import { h } from "../core/dom.js";
import { t } from "../core/text.js";

const PAGES = {
  plan: ["plan", "history", "trash", "verdicts"],
  library: ["library", "folders", "compress", "problems"],
};

export function subnav(part, here) {
  const links = PAGES[part].map((page) =>
    h("a", { href: `/${page}`, "aria-current": page === here ? "page" : null }, t(`page.${page}`)),
  );
  const nav = h("nav", { class: "subnav", "aria-label": t("nav.part") }, links);
  // On a narrow screen the links are scrolled, so that the current page is in sight.
  requestAnimationFrame(() => {
    nav.scrollLeft = links[PAGES[part].indexOf(here)].offsetLeft - nav.offsetLeft - nav.clientWidth / 3;
  });
  return nav;
}
