// The rule in the making, kept in the tab while its page is left.

const KEPT = "comparimg-rule";

export const keptRule = () => JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
export const keepRule = (rule) => sessionStorage.setItem(KEPT, JSON.stringify(rule));

// A rule for two folders, to be looked at before it decides anything.
export const startFolderRule = (keep, giveWay) => keepRule({ ...keptRule(), keep, give_way: giveWay, root: "", path: "" });
