// From reports on media to streams with their values over time.

import type { Row } from "./types";
import { micros } from "./time";

export interface Stream {
  key: string;
  label: string;
  heardBy: string; // "caller", "callee", ""
  callId: string;
  reports: Row[]; // in the order of time
}

const WHO: Record<string, string> = { caller: "heard by the caller", callee: "heard by the callee" };

/** Reports by call, direction, SSRC and kind of report. */
export function streams(reports: Row[]): Stream[] {
  const out = new Map<string, Stream>();
  const legs = new Set(reports.map((r) => r.call_id));
  for (const r of reports) {
    const key = [r.call_id, r.heard_by, r.ssrc, r.report].join(" ");
    let stream = out.get(key);
    if (!stream) {
      const ssrc = r.ssrc === undefined ? "" : ` · ${r.ssrc.toString(16).padStart(8, "0")}`;
      const leg = legs.size > 1 ? ` · leg ${[...legs].indexOf(r.call_id) + 1}` : "";
      stream = { key, label: `${WHO[r.heard_by ?? ""] ?? "direction not known"}${leg}${ssrc} (${r.report ?? "report"})`, heardBy: r.heard_by ?? "", callId: r.call_id ?? "", reports: [] };
      out.set(key, stream);
    }
    stream.reports.push(r);
  }
  for (const s of out.values()) s.reports.sort((a, b) => micros(a.ts) - micros(b.ts));
  return [...out.values()].sort((a, b) => a.heardBy.localeCompare(b.heardBy) || b.reports.length - a.reports.length);
}

export type Measure = "mos" | "loss" | "jitter_ms" | "rtt_ms";

export interface Figures {
  least: number;
  mean: number;
  most: number;
}

/** Of what a stream reports; null if it never does. */
export function figures(stream: Stream, measure: Measure): Figures | null {
  const values = stream.reports.flatMap((r) => r[measure] ?? []);
  if (values.length === 0) return null;
  return { least: Math.min(...values), mean: values.reduce((a, b) => a + b, 0) / values.length, most: Math.max(...values) };
}

/** Times of all streams (seconds), and for each stream its value at each of them. */
export function align(list: Stream[], measure: Measure): { times: number[]; values: (number | null)[][] } {
  const times = [...new Set(list.flatMap((s) => s.reports.map((r) => micros(r.ts))))].sort((a, b) => a - b);
  const place = new Map(times.map((t, i) => [t, i]));
  const values = list.map((s) => {
    const line = Array<number | null>(times.length).fill(null);
    for (const r of s.reports) line[place.get(micros(r.ts))!] = r[measure] ?? null;
    return line;
  });
  return { times: times.map((t) => t / 1e6), values };
}
