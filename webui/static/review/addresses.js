// The addresses of the list of groups and of a group in it, and the list's query as REST takes it.

export const groupQuery = (chosen) => ({
  kind: chosen.kind,
  root: chosen.root,
  path: chosen.path,
  min_images: chosen.min,
  decided: chosen.decided,
  taken_from: chosen.since,
  taken_until: chosen.until,
  sort: chosen.sort ?? "reclaimable",
  order: chosen.order,
  search: chosen.search,
  scenes: chosen.scenes,
});

export function listAddress(chosen) {
  const given = Object.entries(chosen).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given).toString();
  return text ? `/?${text}` : "/";
}

// The page of a group, with the list that it was opened from.
export const groupAddress = (group, chosen) => `/groups/${group.id}${listAddress(chosen).slice(1)}`;
