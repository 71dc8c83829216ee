// Sentences of the service, which speaks English, in the reader's language. What stands in them, and what a library or
// the system says, stays as it came unless it is a known sentence itself.

const { lang, dataset } = document.documentElement;
const table = lang === "en" ? {} : await fetch(`${dataset.base}/locale/said.${lang}.json`).then((answer) => answer.json());

// {} is anything within one sentence, {n} a number.
const PLACES = { "{}": "((?:(?!\\. [A-Z])[^])+?)", "{n}": "([\\d.]+)" };
const asPattern = (template) => new RegExp(`^${template.split(/(\{n?\})/).map((part) => PLACES[part] ?? part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("")}$`);
const fixed = ([template]) => template.replace(/\{n?\}/g, "").length;
// What says more is tried first: "corrupt {}: {}" before "corrupt {}".
const patterns = Object.entries(table).sort((a, b) => fixed(b) - fixed(a)).map(([template, theirs]) => [asPattern(template), theirs]);

function one(sentence) {
  for (const [pattern, theirs] of patterns) {
    const hit = pattern.exec(sentence);
    if (hit) { let place = 0; return theirs.replace(/\{(\d?)\}/g, (_, at) => one(hit[(at ? Number(at) : place++) + 1])); }
  }
  return sentence;
}

export function said(text) {
  if (!text || !patterns.length) return text ?? "";
  const whole = one(text);
  return whole === text ? text.split(/(?<=[.!?]) (?=[A-Z])/).map(one).join(" ") : whole;
}
