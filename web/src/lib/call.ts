// What a call is and how good, by colour and by shape.

import type { Row } from "./types";

export interface Look {
  shape: string; // also without colours one sees which
  tone: "good" | "fair" | "poor" | "idle" | "going";
}

const LOOKS: Record<string, Look> = {
  calling: { shape: "○", tone: "going" }, ringing: { shape: "◔", tone: "going" }, early: { shape: "◑", tone: "going" },
  answered: { shape: "●", tone: "going" }, held: { shape: "◍", tone: "going" },
  completed: { shape: "✓", tone: "good" }, registered: { shape: "✓", tone: "good" },
  cancelled: { shape: "↩", tone: "idle" }, unregistered: { shape: "↩", tone: "idle" }, queried: { shape: "?", tone: "idle" },
  rejected: { shape: "▽", tone: "fair" }, challenged: { shape: "▽", tone: "fair" }, expired: { shape: "▽", tone: "fair" },
  flapping: { shape: "≈", tone: "fair" }, failed: { shape: "✕", tone: "poor" }, failing: { shape: "✕", tone: "poor" },
  refused: { shape: "✕", tone: "poor" }, "timed out": { shape: "◷", tone: "poor" }, incomplete: { shape: "?", tone: "idle" },
};

export const lookOf = (state: string): Look => LOOKS[state] ?? { shape: "·", tone: "idle" };

/** Bounds of ITU-T G.107, table B.1: users are satisfied, some are not, many are not. */
const MOS_GOOD = 4.03;
export const MOS_FAIR = 3.6;

export const lookOfMos = (mos: number): Look =>
  mos >= MOS_GOOD ? { shape: "▲", tone: "good" } : mos >= MOS_FAIR ? { shape: "◆", tone: "fair" } : { shape: "▼", tone: "poor" };

/** The class of a bar of the histogram for a state. */
export function stateColour(state: string): string {
  const bars: Record<Look["tone"], string> = { good: "s2", going: "request", idle: "s1", fair: "s3", poor: "s4" };
  return state in LOOKS ? bars[lookOf(state).tone] : "other";
}

/** The final response, or what stands for one. */
export const outcome = (r: Row): string => (r.status === undefined ? "" : `${r.status} ${r.reason ?? ""}`.trim());

export const flagsOf = (r: Row): string[] => (r.call_flags ? r.call_flags.split(",") : []);

const field = (value: unknown): string => {
  const text = value === undefined || value === null ? "" : String(value);
  // What a spreadsheet would take for a formula is made text.
  const safe = /^[=@\t\r]|^[+-](?![\d.]+$)/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
};

/** Rows as CSV (RFC 4180), a column for each name. */
export function csv(rows: Row[], columns: string[]): string {
  return [columns.join(","), ...rows.map((r) => columns.map((c) => field(r[c])).join(","))].join("\r\n") + "\r\n";
}
