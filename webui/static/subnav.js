// The pages that belong together, as a line of links above each of them.

import { h } from "./dom.js";
import { t } from "./text.js";

const PAGES = { plan: ["plan", "history", "trash", "verdicts"], library: ["library", "folders", "compress", "problems"] };

export const subnav = (part, here) => h("nav", { class: "subnav", "aria-label": t("nav.part") }, PAGES[part].map((page) =>
  h("a", { href: `/${page}`, "aria-current": page === here ? "page" : null }, t(`page.${page}`))));
