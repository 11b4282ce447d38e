// What pages have in common.

import { pref, setPref } from "../lib/prefs";
import type { Range } from "../lib/time";
import type { Place } from "../lib/url";

export interface PageProps {
  place: Place;
}

/** The range of an address; one without keeps what was chosen last. "all" is a range that is open. */
export function rangeOf(params: Readonly<Record<string, string>>): Range {
  if (params.from === undefined && params.to === undefined) return pref("range");
  const range = { from: params.from === "all" ? "" : (params.from ?? ""), to: params.to ?? "" };
  const last = pref("range");
  if (last.from !== range.from || last.to !== range.to) setPref("range", range);
  return range;
}
