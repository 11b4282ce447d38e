// Key figures over time (docs/kpi.md).

const DAY = 86400;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, DAY, 2 * DAY, 7 * DAY, 30 * DAY];
const MOST = 60; // points of a line; the API makes 100 at most, and ends of the range are steps of their own

/** Seconds of a step, so that a range of so many seconds has some dozen of them. */
export function stepOf(seconds: number): number {
  return STEPS.find((s) => seconds / s <= MOST) ?? Math.ceil(seconds / MOST / DAY) * DAY;
}
