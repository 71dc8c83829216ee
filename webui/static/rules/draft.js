// The draft of a rule, kept in the session of the tab.

const DRAFT_KEY = "comparimg-rule";

export const loadDraft = () => JSON.parse(sessionStorage.getItem(DRAFT_KEY) ?? "{}");
export const storeDraft = (rule) => sessionStorage.setItem(DRAFT_KEY, JSON.stringify(rule));

// Starts a draft for two folders: images in `keep` stay, their duplicates in `giveWay` do not.
export const startFolderRule = (keep, giveWay) =>
  storeDraft({ ...loadDraft(), keep, give_way: giveWay, root: "", path: "" });
