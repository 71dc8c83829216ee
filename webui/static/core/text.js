// Texts, numbers and dates in the reader's language. Texts have places {name} and {n, one # thing, other # things}.

import { language } from "./api.js";

export { language };
const base = document.documentElement.dataset.base;

const texts = await fetch(`${base}/locale/${language}.json`).then((answer) => answer.json());
// The reader's regional form of the chosen language: an Australian gets English dates the Australian way.
const locale = navigator.languages.find((candidate) => candidate.split("-")[0] === language) ?? language;
const plurals = new Intl.PluralRules(language);
const whole = new Intl.NumberFormat(locale);
const short = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
const percents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const decimals = new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const moments = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const days = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });

export const has = (key) => key in texts;

export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)(?:, one ([^{}]*), other ([^{}]*))?\}/g, (_, name, one, other) => {
    const value = values[name];
    if (one === undefined) return typeof value === "number" ? whole.format(value) : (value ?? "");
    return (plurals.select(value) === "one" ? one : other).replace("#", whole.format(value));
  });
}

export const number = (value) => whole.format(value);
export const decimal = (value) => decimals.format(value);
// The space before the sign is the one that the texts have.
export const percent = (value) => percents.format(value).replace("\u00a0", "\u202f");

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

export function bytes(value) {
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return new Intl.NumberFormat(locale, {
    style: "unit",
    unit: UNITS[unit],
    // The short form of bytes has no plural.
    unitDisplay: unit ? "short" : "long",
    maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0,
  }).format(value);
}

export const figure = (value) => short.format(value);
export const day = (text) => days.format(new Date(text));
export const moment = (text) => moments.format(new Date(text));

export function ago(text) {
  const seconds = (new Date(text) - Date.now()) / 1000;
  for (const [unit, length] of [
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
  ]) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return t("time.now");
}

export function duration(seconds) {
  if (seconds < 60) return t("time.seconds", { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 5400) return t("time.minutes", { n: Math.round(seconds / 60) });
  return t("time.hours", { n: Math.round(seconds / 3600) });
}

// Names may contain control and bidirectional characters that hide or reorder the text around them: each is shown as ␣.
// The joiner inside an emoji is a part of it.
const EMOJI_JOINER = /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=\p{Extended_Pictographic})/u;
const HIDING = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069]/gu;
export const safe = (text) =>
  text
    .split(EMOJI_JOINER)
    .map((part) => part.replace(HIDING, "\u2423"))
    .join("\u200d");

export function split(path) {
  const cut = path.lastIndexOf("/");
  return { folder: safe(path.slice(0, cut)) || "/", name: safe(path.slice(cut + 1)) };
}

export function errorText(error) {
  const key = `error.${error.code}`;
  return has(key) ? t(key) : [error.message, error.hint].filter(Boolean).join(" ");
}
