// Texts of rows, and what is in a message made visible.

import type { Row } from "./types";

export const place = (ip?: string, port?: number): string =>
  ip === undefined ? "" : port === undefined || port === 0 ? ip : ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;

export const party = (user?: string, host?: string): string =>
  user !== undefined && host !== undefined ? `${user}@${host}` : (user ?? host ?? "");

/** What a row is, in a word or two. */
export function title(row: Row): string {
  if (row.table !== "sip") return (row.kind ?? row.table).replace(/_/g, " ").replace(/^rtcp$/, "RTCP");
  if (row.status !== undefined) return `${row.status} ${row.reason ?? ""}`.trim();
  return row.method ?? "malformed";
}

export type Tone = "request" | "s1" | "s2" | "s3" | "s4" | "s5" | "media" | "log" | "other" | "bad";

export function tone(row: Row): Tone {
  if (row.table === "media" || row.table === "log") return row.table;
  if (row.table !== "sip") return "other";
  if (row.status === undefined) return row.method === undefined ? "bad" : "request";
  const first = Math.floor(row.status / 100);
  return first >= 5 ? "s5" : first >= 1 ? (`s${first}` as Tone) : "bad";
}

/** A part of a text: as it is, or a character that would not show or would deceive, by its name. */
export interface Piece {
  text: string;
  mark?: string;
}

// Controls, format characters that reorder or hide text (UAX #9, tags, soft hyphen, word joiners), separators of lines
// and lone surrogates. Tabs and line ends are dealt with by who lays out the text.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udc7f]/g;

const NAMES: Record<number, string> = {
  0x00: "NUL", 0x07: "BEL", 0x08: "BS", 0x0d: "CR", 0x1b: "ESC", 0x7f: "DEL", 0xad: "SHY", 0x200b: "ZWSP", 0x200c: "ZWNJ",
  0x200d: "ZWJ", 0x200e: "LRM", 0x200f: "RLM", 0x202a: "LRE", 0x202b: "RLE", 0x202c: "PDF", 0x202d: "LRO", 0x202e: "RLO",
  0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0xfeff: "BOM",
};

/** Splits a text so that every character of it can be seen. */
export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  let at = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found.index > at) out.push({ text: text.slice(at, found.index) });
    const code = found[0].codePointAt(0)!;
    const name = NAMES[code] ?? (code < 0x20 ? `x${code.toString(16).padStart(2, "0")}`
      : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`);
    out.push({ text: found[0], mark: name });
    at = found.index + found[0].length;
  }
  if (at < text.length) out.push({ text: text.slice(at) });
  return out;
}

/** The same as plain text, for titles and for SVG. */
export const plain = (text: string): string =>
  pieces(text).map((p) => (p.mark ? `‹${p.mark}›` : p.text)).join("");

const counts = new Intl.NumberFormat("en");
export const number = (n: number): string => counts.format(n);

export const plural = (n: number, one: string, many = `${one}s`): string => `${number(n)} ${n === 1 ? one : many}`;

export function octets(n: number): string {
  if (n < 1000) return `${n} octets`;
  const units = ["kB", "MB", "GB", "TB"];
  let i = -1;
  do {
    n /= 1000;
    i++;
  } while (n >= 1000 && i < units.length - 1);
  return `${n.toFixed(n < 10 ? 1 : 0)} ${units[i]}`;
}

/** A span of microseconds for people: 12 ms, 3.2 s, 4:07, 2 h 03 min. */
export function span(us: number): string {
  const s = Math.abs(us) / 1e6;
  const sign = us < 0 ? "-" : "";
  if (s === 0) return "0 ms";
  if (s < 0.001) return `${sign}${Math.round(s * 1e6)} µs`;
  if (s < 1) return `${sign}${Math.round(s * 1000)} ms`;
  if (s < 60) return `${sign}${s.toFixed(s < 10 ? 2 : 1)} s`;
  if (s < 3600) return `${sign}${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")} min`;
  if (s < 86400) return `${sign}${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return `${sign}${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** Milliseconds as the API has them. */
export const spanMs = (ms: unknown): string => (typeof ms === "number" ? span(ms * 1000) : "");
