// Times: microseconds since 1970 as numbers (exact until the year 2255), shown in a time zone that the user chose.

/** Microseconds of a time of the API. */
export function micros(ts: string): number {
  const dot = ts.indexOf(".");
  const end = ts.endsWith("Z") ? ts.length - 1 : ts.length;
  const whole = dot < 0 ? ts.slice(0, end) : ts.slice(0, dot);
  const part = dot < 0 ? "" : ts.slice(dot + 1, end);
  return Date.parse(`${whole}Z`) * 1000 + Number(part.padEnd(6, "0").slice(0, 6));
}

export const toIso = (us: number): string => {
  const ms = Math.floor(us / 1000);
  return `${new Date(ms).toISOString().slice(0, -1)}${String(us - ms * 1000).padStart(3, "0")}Z`;
};

export const LOCAL = "local";

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string): Intl.DateTimeFormat {
  let f = formats.get(zone);
  if (!f) {
    f = new Intl.DateTimeFormat("en-US", {
      timeZone: zone === LOCAL ? undefined : zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
    formats.set(zone, f);
  }
  return f;
}

export function isZone(zone: string): boolean {
  if (zone === LOCAL) return true;
  try {
    format(zone);
    return true;
  } catch {
    return false;
  }
}

// Intl is slow; an offset holds for a quarter of an hour, the finest step that zones change by.
const QUARTER = 900_000;
const offsets = new Map<string, Map<number, number>>();

/** Minutes east of UTC at a moment (ms). */
export function offset(ms: number, zone: string): number {
  if (zone === "UTC") return 0;
  let known = offsets.get(zone);
  if (!known) offsets.set(zone, (known = new Map()));
  const key = Math.floor(ms / QUARTER);
  let value = known.get(key);
  if (value === undefined) {
    const parts: Record<string, number> = {};
    for (const p of format(zone).formatToParts(key * QUARTER)) if (p.type !== "literal") parts[p.type] = Number(p.value);
    const wall = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
    value = Math.round((wall - key * QUARTER) / 60_000);
    if (known.size > 5000) known.clear();
    known.set(key, value);
  }
  return value;
}

/** "2026-01-31 12:00:00.123456" in the zone. */
export function wall(us: number, zone: string): string {
  const ms = Math.floor(us / 1000);
  const text = new Date(ms + offset(ms, zone) * 60_000).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 23)}${String(Math.round(us - ms * 1000)).padStart(3, "0")}`;
}

export const wallDate = (us: number, zone: string): string => wall(us, zone).slice(0, 10);
export const wallTime = (us: number, zone: string, digits = 3): string =>
  wall(us, zone).slice(11, digits === 0 ? 19 : 20 + digits);

/** "+02:00" */
export function offsetText(ms: number, zone: string): string {
  const o = offset(ms, zone);
  if (o === 0) return "UTC";
  const a = Math.abs(o);
  return `${o < 0 ? "−" : "+"}${String(Math.floor(a / 60)).padStart(2, "0")}:${String(a % 60).padStart(2, "0")}`;
}

/**
 * Microseconds of a wall-clock time in the zone; NaN if it cannot be read. A time that the clocks skip is taken as the
 * one after the gap, one that comes twice as the first.
 */
export function fromWall(text: string, zone: string): number {
  const m = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,6}))?)?)?$/.exec(text.trim());
  if (!m) return NaN;
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((i) => Number(m[i] ?? 0));
  const naive = Date.UTC(year, month - 1, day, hour, minute, second);
  const back = new Date(naive);
  if (back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) return NaN;
  const day_ms = 86_400_000;
  const before = offset(naive - day_ms, zone) * 60_000;
  const after = offset(naive + day_ms, zone) * 60_000;
  const fits = [naive - before, naive - after].filter((ms) => ms + offset(ms, zone) * 60_000 === naive);
  const ms = fits.length > 0 ? Math.min(...fits) : naive - before;
  return ms * 1000 + Number((m[7] ?? "").padEnd(6, "0"));
}

const UNITS: Record<string, number> = { s: 1e6, m: 60e6, h: 3600e6, d: 86400e6, w: 604800e6 };

/** Microseconds of "now", "-15m", "-1h30m", RFC 3339; NaN otherwise. */
export function moment(text: string, now: number): number {
  if (text === "now") return now;
  if (text.startsWith("-")) {
    let sum = 0;
    const rest = text.slice(1).replace(/(\d+)([smhdw])/g, (_, n: string, unit: string) => {
      sum += Number(n) * UNITS[unit];
      return "";
    });
    return rest === "" && sum > 0 ? now - sum : NaN;
  }
  return /^\d{4}-\d\d-\d\dT.*Z$/.test(text) ? micros(text) : Date.parse(text) * 1000;
}

export interface Range {
  from: string; // as the API takes it; "": open
  to: string;
}

export const QUICK: [string, string][] = [
  ["-5m", "5 minutes"], ["-15m", "15 minutes"], ["-1h", "1 hour"], ["-6h", "6 hours"], ["-24h", "24 hours"],
  ["-7d", "7 days"], ["-30d", "30 days"], ["", "All time"],
];

/** The range in words. */
export function rangeText(range: Range, zone: string): string {
  if (range.to === "") {
    const quick = QUICK.find(([from]) => from === range.from);
    if (quick) return range.from === "" ? quick[1] : `Last ${quick[1]}`;
  }
  const show = (text: string) => {
    const us = moment(text, NaN);
    return Number.isNaN(us) ? text : wall(us, zone).slice(0, 19);
  };
  return `${range.from === "" ? "…" : show(range.from)} – ${range.to === "" ? "now" : show(range.to)}`;
}
