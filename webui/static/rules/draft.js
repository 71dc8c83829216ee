// The draft of a rule, kept in the session of the tab, and the body of the requests about it.

const DRAFT_KEY = "comparimg-rule";

export const loadDraft = () => JSON.parse(sessionStorage.getItem(DRAFT_KEY) ?? "{}");
export const storeDraft = (rule) => sessionStorage.setItem(DRAFT_KEY, JSON.stringify(rule));

// Starts a draft for two folders: images in `keep` stay, their duplicates in `giveWay` do not.
export const startFolderRule = (keep, giveWay) =>
  storeDraft({ ...loadDraft(), keep, give_way: giveWay, root: "", path: "" });

// The body of a request, without empty fields.
export function asBody({ criteria, kinds, choice, destination, ties, keep, give_way: giveWay, root, path, ...rule }) {
  const filter = { ...(root ? { root: Number(root) } : {}), ...(path ? { path } : {}) };
  return {
    criteria,
    kinds,
    choice,
    ties,
    ...(rule.trashed_before ? { trashed_before: true } : {}),
    ...(choice === "move" ? { destination } : {}),
    ...(keep && giveWay ? { folders: { keep, give_way: giveWay } } : {}),
    ...(Object.keys(filter).length ? { filter } : {}),
  };
}

// The draft of the form for the body of a request.
export function asDraft({ folders, filter, ...rule }) {
  return {
    trashed_before: false,
    ...rule,
    keep: folders?.keep ?? "",
    give_way: folders?.give_way ?? "",
    root: filter?.root ? String(filter.root) : "",
    path: filter?.path ?? "",
  };
}
