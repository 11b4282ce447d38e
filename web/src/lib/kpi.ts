// Key figures that the page makes of counts (docs/kpi.md).

import type { Counts } from "./types";

const ANSWERED = new Set(["answered", "held", "completed", "incomplete"]);
const UNDECIDED = new Set(["calling", "ringing", "early"]);

/** Answer seizure ratio of each bucket of counts by state, percent; null where nothing was decided. */
export function asrOverTime(counts: Counts): (number | null)[] {
  const sum = (test: (state: string) => boolean, i: number) => (counts.series ?? []).reduce((n, s) => n + (test(s.value ?? "") ? s.counts[i] : 0), 0);
  return counts.counts.map((_, i) => {
    const attempts = sum((s) => !UNDECIDED.has(s), i);
    return attempts === 0 ? null : (sum((s) => ANSWERED.has(s), i) / attempts) * 100;
  });
}
