// From the messages of a call to a ladder: lanes and arrows, without pixels.

import { place, plain, title, tone, type Tone } from "./text";
import { micros, wallTime } from "./time";
import type { Row } from "./types";

export type Grouping = "port" | "ip" | "alias";

export interface LadderOptions {
  grouping: Grouping;
  alias?: (ip?: string, port?: number) => string | null;
  order?: string[]; // ids of lanes, from left to right; others follow as they come
  hidden?: ReadonlySet<string>; // ids of lanes
  keep?: (row: Row, leg: number) => boolean;
  reports?: Row[]; // of table "quality": what messages say of media
}

export interface Lane {
  id: string;
  label: string;
  sub: string; // the address, if the label is a name
  messages: number;
}

export interface Step {
  row: Row;
  at: number; // µs
  delta: number; // since the step before; 0 for the first
  since: number; // since the first message of the call
  from: number; // lanes; -1: none
  to: number;
  title: string;
  tone: Tone;
  again: "" | "retransmission" | "tap";
  sdp: "" | "offer" | "answer" | "sdp";
  codecs: string;
  mark: string; // "PDD 1.2 s", "answered after 5.1 s"
  leg: number;
  mos?: number; // the worst that it reports
}

export interface Ladder {
  lanes: Lane[];
  hidden: Lane[];
  steps: Step[];
  legs: string[]; // Call-IDs, as they come
  total: number; // messages before filters
}

/** What identifies a transmission, apart from when and by whom it was seen. */
const identity = (r: Row): string =>
  [r.call_id, r.src_ip, r.src_port, r.dst_ip, r.dst_port, r.method, r.status, r.branch, r.cseq, r.payload_len].join(" ");

const TAP_US = 500_000; // two taps see one transmission within this time (docs/calls.md)

function repetitions(rows: Row[]): Step["again"][] {
  const seen = new Map<string, { at: number; taps: Set<string> }>();
  return rows.map((r) => {
    if (r.table !== "sip" || r.branch === undefined) return "";
    const key = identity(r);
    const tap = `${r.capture_id} ${r.sender}`;
    const at = micros(r.ts);
    const first = seen.get(key);
    if (!first) {
      seen.set(key, { at, taps: new Set([tap]) });
      return "";
    }
    const other = !first.taps.has(tap) && at - first.at <= TAP_US;
    first.taps.add(tap);
    return other ? "tap" : "retransmission";
  });
}

/** Offer or answer (RFC 3264), by who of a transaction spoke first. */
function sdpRoles(rows: Row[]): Step["sdp"][] {
  const offered = new Map<string, boolean>(); // transaction -> its request had SDP
  const key = (r: Row, method?: string) => `${r.call_id} ${r.cseq} ${method ?? r.method}`;
  return rows.map((r) => {
    const has = r.sdp_media !== undefined || (r.flags?.includes("sdp") ?? false);
    if (r.table !== "sip") return "";
    if (r.status === undefined && r.method !== "ACK" && r.method !== "PRACK") {
      if (!offered.has(key(r))) offered.set(key(r), has);
      return has ? "offer" : "";
    }
    if (!has) return "";
    const first = offered.get(key(r, r.method === "ACK" ? "INVITE" : r.method));
    if (r.status === undefined) return first === false || r.method === "PRACK" ? "answer" : "sdp";
    return first === undefined ? "sdp" : first ? "answer" : "offer";
  });
}

/** Codec names of the column sdp_media. */
export function codecs(media?: string): string {
  if (!media) return "";
  const names = [...media.matchAll(/([A-Za-z0-9.-]+)\/\d+/g)].map((m) => m[1])
    .filter((n) => !/^telephone-event$/i.test(n));
  const unique = [...new Set(names)];
  const direction = /\b(sendonly|recvonly|inactive)\b/.exec(media)?.[1];
  const text = unique.length > 3 ? `${unique.slice(0, 3).join(", ")} +${unique.length - 3}` : unique.join(", ");
  return direction ? `${text} ${direction}`.trim() : text;
}

/** Moments of a call that people look for, by the number of their row. */
function moments(rows: Row[]): Map<number, string> {
  const out = new Map<number, string>();
  const begin = rows.find((r) => r.method === "INVITE" && r.status === undefined);
  if (!begin) return out;
  const start = micros(begin.ts);
  const after = (r: Row) => ((micros(r.ts) - start) / 1e6).toFixed(2);
  const of = (test: (r: Row) => boolean) => rows.findIndex((r) => r.table === "sip" && test(r));
  const invite = (r: Row) => r.method === "INVITE" && r.cseq !== undefined;
  const rung = of((r) => invite(r) && r.status !== undefined && r.status > 100 && r.status < 200);
  const answer = of((r) => invite(r) && r.status !== undefined && r.status >= 200 && r.status < 300);
  const bye = of((r) => r.method === "BYE" && r.status === undefined);
  if (rung >= 0 && (answer < 0 || rung < answer)) out.set(rung, `PDD ${after(rows[rung])} s`);
  if (answer >= 0) out.set(answer, `answered after ${after(rows[answer])} s`);
  if (bye >= 0 && answer >= 0 && bye > answer)
    out.set(bye, `talked ${((micros(rows[bye].ts) - micros(rows[answer].ts)) / 1e6).toFixed(2)} s`);
  return out;
}

interface End {
  id: string;
  label: string;
  sub: string;
}

function endOf(ip: string | undefined, port: number | undefined, o: LadderOptions): End | null {
  if (ip === undefined) return null;
  const name = o.alias?.(ip, port) ?? null;
  const address = o.grouping === "port" ? place(ip, port) : ip;
  if (o.grouping === "alias" && name !== null) return { id: `=${name}`, label: name, sub: "" };
  return name === null ? { id: address, label: address, sub: "" } : { id: address, label: name, sub: address };
}

/** The worst MOS that each message reports, by its number and time. */
function worstMos(reports: Row[]): Map<string, number> {
  const out = new Map<string, number>();
  for (const r of reports) {
    const key = `${r.seq}@${r.ts}`;
    if (r.mos !== undefined) out.set(key, Math.min(r.mos, out.get(key) ?? Infinity));
  }
  return out;
}

export function layout(rows: Row[], o: LadderOptions): Ladder {
  const lanes = new Map<string, Lane>();
  const byIp = new Map<string, string>();
  const speaks = rows.some((r) => r.table === "sip");

  const add = (ip: string | undefined, port: number | undefined): void => {
    const end = endOf(ip, port, o);
    if (!end) return;
    const lane = lanes.get(end.id) ?? { ...end, messages: 0 };
    lane.messages++;
    lanes.set(end.id, lane);
    if (!byIp.has(ip!)) byIp.set(ip!, end.id);
  };
  for (const r of rows) if (!speaks || r.table === "sip") add(r.src_ip, r.src_port), add(r.dst_ip, r.dst_port);
  // Media have ports of their own: they run between the lanes of their hosts, and get one only if there is none.
  const media = (ip: string | undefined) => ip !== undefined && !byIp.has(ip) && add(ip, o.grouping === "port" ? 0 : undefined);
  if (speaks) for (const r of rows) if (r.table === "media") media(r.src_ip), media(r.dst_ip);

  const place_ = new Map((o.order ?? []).map((id, i) => [id, i]));
  const all = [...lanes.values()];
  const rank = (lane: Lane, i: number) => place_.get(lane.id) ?? place_.size + i;
  const ranked = all.map((lane, i) => ({ lane, r: rank(lane, i) })).sort((a, b) => a.r - b.r).map((x) => x.lane);
  const shown = ranked.filter((lane) => !o.hidden?.has(lane.id));
  const index = new Map(shown.map((lane, i) => [lane.id, i]));
  const find = (ip?: string, port?: number): { lane: number; hidden: boolean } => {
    const end = endOf(ip, port, o);
    if (!end) return { lane: -1, hidden: false };
    const id = lanes.has(end.id) ? end.id : byIp.get(ip!);
    return id === undefined ? { lane: -1, hidden: false } : { lane: index.get(id) ?? -1, hidden: o.hidden?.has(id) ?? false };
  };

  const again = repetitions(rows);
  const roles = sdpRoles(rows);
  const marks = moments(rows);
  const scores = worstMos(o.reports ?? []);
  const legs: string[] = [];
  const legOf = new Map<string, number>();
  const start = rows.length > 0 ? micros(rows[0].ts) : 0;
  const steps: Step[] = [];
  rows.forEach((row, i) => {
    const leg = row.call_id ?? row.correlation_id ?? "";
    if (leg !== "" && !legOf.has(leg)) legOf.set(leg, legs.push(leg) - 1);
    if (o.keep && !o.keep(row, legOf.get(leg) ?? 0)) return;
    const src = find(row.src_ip, row.src_port);
    const dst = find(row.dst_ip, row.dst_port);
    if (src.hidden || dst.hidden) return;
    const at = micros(row.ts);
    const log = row.table === "log" && typeof row.payload === "string" ? row.payload : "";
    steps.push({
      row, at, delta: steps.length === 0 ? 0 : at - steps[steps.length - 1].at, since: at - start,
      from: src.lane, to: dst.lane, title: log ? log.slice(0, 300) : title(row), tone: tone(row), again: again[i],
      sdp: roles[i], codecs: roles[i] === "" ? "" : codecs(row.sdp_media), mark: marks.get(i) ?? "", leg: legOf.get(leg) ?? 0,
      mos: scores.get(`${row.seq}@${row.ts}`),
    });
  });
  return { lanes: shown, hidden: ranked.filter((lane) => o.hidden?.has(lane.id)), steps, legs, total: rows.length };
}

/** Moves a lane before another (null: to the end); the new order of ids. */
export function reorder(lanes: Lane[], id: string, before: string | null): string[] {
  const rest = lanes.map((l) => l.id).filter((l) => l !== id);
  const at = before === null ? rest.length : rest.indexOf(before);
  rest.splice(at < 0 ? rest.length : at, 0, id);
  return rest;
}

/** What stands on the arrow. */
export function caption(step: Step): string {
  const sdp = step.sdp === "" ? "" : ` · ${step.sdp === "sdp" ? "SDP" : step.sdp}${step.codecs ? ` ${step.codecs}` : ""}`;
  const again = step.again === "" ? "" : step.again === "tap" ? " (seen again)" : " ↻";
  const mos = step.mos === undefined ? "" : ` · MOS ${step.mos.toFixed(2)}`;
  return plain(step.title) + sdp + again + mos;
}

/** The message that one would compare with this: the same at another hop, nearest before, else behind; else one of its kind. */
export function counterpart(steps: Step[], index: number): number {
  const me = steps[index]?.row;
  if (!me) return -1;
  const same = (r: Row) => r.table === me.table && r.method === me.method && r.status === me.status;
  const alike = (r: Row) => r.table === me.table && r.method === me.method && (r.status === undefined) === (me.status === undefined);
  const before = Array.from({ length: index }, (_, i) => index - 1 - i);
  const behind = Array.from({ length: steps.length - index - 1 }, (_, i) => index + 1 + i);
  const find = (places: number[], test: (r: Row) => boolean) => places.find((i) => test(steps[i].row));
  return find(before, same) ?? find(behind, same) ?? find(before, alike) ?? find(behind, alike) ?? before[0] ?? behind[0] ?? -1;
}

const COLOURS: Record<Tone, string> = {
  request: "#1864ab", s1: "#5f6b76", s2: "#2b7a2f", s3: "#8a5a00", s4: "#b3261e", s5: "#9b1c5c", media: "#0b7285",
  log: "#5f6b76", other: "#5f6b76", bad: "#b3261e",
};

const escape = (text: string): string =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

/** The ladder as a picture that stands alone. */
export function svg(ladder: Ladder, zone: string): { text: string; width: number; height: number } {
  const left = 190;
  const lane = 230;
  const row = 28;
  const width = left + Math.max(ladder.lanes.length, 1) * lane;
  const height = 56 + ladder.steps.length * row + 14;
  const x = (i: number) => left + lane * (i + 0.5);
  const out: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      `font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
  ];
  ladder.lanes.forEach((l, i) => {
    out.push(`<text x="${x(i)}" y="20" text-anchor="middle" font-weight="600">${escape(plain(l.label))}</text>`);
    if (l.sub) out.push(`<text x="${x(i)}" y="35" text-anchor="middle" fill="#555">${escape(l.sub)}</text>`);
    out.push(`<path d="M${x(i)} 42V${height - 6}" stroke="#c5ccd3"/>`);
  });
  ladder.steps.forEach((s, i) => {
    const y = 64 + i * row;
    const colour = COLOURS[s.tone];
    out.push(`<text x="8" y="${y}" fill="#555" font-family="monospace" font-size="11">` +
      `${wallTime(s.at, zone)}  +${(s.delta / 1e6).toFixed(3)}</text>`);
    const text = escape(caption(s));
    if (s.from < 0 && s.to < 0) {
      out.push(`<text x="${left}" y="${y}" fill="${colour}">${text}</text>`);
      return;
    }
    const x1 = x(s.from < 0 ? s.to : s.from);
    let x2 = x(s.to < 0 ? s.from : s.to);
    if (x1 === x2) x2 = x1 + 70;
    const dash = s.again ? ' stroke-dasharray="4 3"' : "";
    const back = x2 < x1 ? 7 : -7;
    out.push(`<path d="M${x1} ${y + 4}H${x2}" stroke="${colour}" stroke-width="1.5"${dash}/>`);
    out.push(`<path d="M${x2} ${y + 4}l${back} -4v8z" fill="${colour}"/>`);
    out.push(`<text x="${(x1 + x2) / 2}" y="${y - 1}" text-anchor="middle" fill="${colour}">${text}</text>`);
    if (s.mark) out.push(`<text x="${width - 8}" y="${y}" text-anchor="end" fill="#555" font-style="italic">${escape(s.mark)}</text>`);
  });
  out.push("</svg>");
  return { text: out.join("\n"), width, height };
}
