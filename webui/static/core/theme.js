// The theme of the page: "" as the system has it, "light" or "dark". A cookie, so that the first paint is right.

const YEAR_S = 31536000;

export const theme = () => document.documentElement.dataset.theme ?? "";

export function setTheme(name) {
  document.documentElement.dataset.theme = name;
  document.cookie = `theme=${name}; path=/; max-age=${YEAR_S}; samesite=strict`;
  for (const select of document.querySelectorAll("[data-theme-switch]")) select.value = name;
}
