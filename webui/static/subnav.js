// The pages that belong together, as a line of links above each of them.

import { h } from "./dom.js";
import { t } from "./text.js";

const PAGES = { plan: ["plan", "history", "trash", "verdicts"], library: ["library", "folders", "compress", "problems"] };

export function subnav(part, here) {
  const links = PAGES[part].map((page) => h("a", { href: `/${page}`, "aria-current": page === here ? "page" : null }, t(`page.${page}`)));
  const nav = h("nav", { class: "subnav", "aria-label": t("nav.part") }, links);
  // On a narrow screen the line is longer than it: where one is must be in sight.
  requestAnimationFrame(() => { nav.scrollLeft = links[PAGES[part].indexOf(here)].offsetLeft - nav.offsetLeft - nav.clientWidth / 3; });
  return nav;
}
