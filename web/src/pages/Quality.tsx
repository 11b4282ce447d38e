// How calls sounded: the worst ones, distributions, and where they came from.

import { useMemo } from "preact/hooks";

import { ask } from "../lib/api";
import { lookOfMos, MOS_FAIR } from "../lib/call";
import { usePref } from "../lib/prefs";
import { useAliases } from "../lib/shared";
import { groups, quantile, spread } from "../lib/spread";
import { number } from "../lib/text";
import { micros, toIso } from "../lib/time";
import type { Row, SearchAnswer } from "../lib/types";
import { AskBar, questionOf } from "../ui/AskBar";
import { Text, useAsk, usePhone, Wrong } from "../ui/bits";
import { Chart } from "../ui/Chart";
import { Mos } from "../ui/marks";
import { Spread } from "../ui/Spread";
import { Table } from "../ui/Table";
import { CALL_COLUMNS, callColumns, openCall } from "./Calls";
import type { PageProps } from "./page";

const SAMPLE = 5000; // calls that are looked at: the newest with reports
const WORST = 200;
const BUCKETS = 40;
const SHOWN = ["time", "from", "to", "mos", "loss", "jitter", "rtt", "codec", "talk", "source", "destination"];

/** Median and worst twentieth of the MOS over time. */
function overTime(rows: Row[]): { times: number[]; median: (number | null)[]; low: (number | null)[] } {
  const times = rows.map((r) => micros(r.ts) / 1e6);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const width = Math.max((last - first) / BUCKETS, 1);
  const buckets = Array.from({ length: Math.floor((last - first) / width) + 1 }, () => [] as number[]);
  rows.forEach((r, i) => buckets[Math.floor((times[i] - first) / width)].push(r.mos!));
  return { times: buckets.map((_, i) => first + (i + 0.5) * width), median: buckets.map((b) => quantile(b, 0.5)), low: buckets.map((b) => quantile(b, 0.05)) };
}

export function Quality({ place: { params: p } }: PageProps) {
  const [zone] = usePref("zone");
  const phone = usePhone();
  const aliases = useAliases();
  const asked = questionOf("quality", p);
  const { q, range, key } = asked;
  const rated = q.trim() === "" ? "mos:*" : `(${q}) mos:*`;
  const { data, error, again, busy } = useAsk(key, (signal) =>
    ask<SearchAnswer>("api/v1/calls", { q: rated, from: range.from, to: range.to, limit: SAMPLE, columns: CALL_COLUMNS, total: 1 }, signal));
  const rows = useMemo(() => (data?.rows ?? []).filter((r) => r.mos !== undefined), [data]);
  const worst = useMemo(() => [...rows].sort((a, b) => a.mos! - b.mos!).slice(0, WORST), [rows]);
  const columns = useMemo(() => callColumns(zone, true, (ip, port) => aliases.name(ip, port)).filter((c) => (phone ? c.phone : SHOWN.includes(c.key))).map((c) => ({ ...c, sort: undefined })), [zone, aliases, phone]);
  return (
    <div class="page scroll">
      <h1 class="sr">Quality</h1>
      <AskBar page="quality" of="calls" question={asked} placeholder="dst:10.0.0.5 codec:PCMA     (empty: every call with reports on its media)" />
      <Wrong error={error} filter={q} again={again} />
      <p class="note" role="status">
        {!data ? (busy ? "Searching…" : "") : `${number(data.total ?? rows.length)} calls have reports on their media${(data.total ?? 0) > rows.length ? `; the newest ${number(rows.length)} are looked at` : ""}.`}
        {data?.problem && <span class="warn"> Not all: {data.problem}</span>}
      </p>
      {data && rows.length === 0 && <div class="nothing"><p>No call of this range has reports on its media.</p><p class="note">They come of RTCP, of RTP statistics by agents, or of headers such as X-RTP-Stat.</p></div>}
      {rows.length > 0 && <Boards rows={rows} zoom={(from, to) => asked.zoom({ from: toIso(from * 1e6), to: toIso(to * 1e6) })} />}
      {rows.length > 0 && (
        <section class="board">
          <h2>The worst calls</h2>
          <div class="fixed-table"><Table rows={worst} columns={columns} id={(r) => `${r.seq} ${r.ts}`} label="The worst calls" chosen={-1} choose={(i) => openCall(worst[i], worst)} open={(i) => openCall(worst[i], worst)} /></div>
        </section>
      )}
    </div>
  );
}

function Boards({ rows, zoom }: { rows: Row[]; zoom: (from: number, to: number) => void }) {
  const aliases = useAliases();
  const time = useMemo(() => overTime(rows), [rows]);
  const values = (name: "mos" | "loss" | "jitter_ms" | "rtt_ms") => rows.flatMap((r) => r[name] ?? []);
  const ways = useMemo(() => groups(rows.map((r) => ({ name: `${aliases.name(r.src_ip, r.src_port) ?? r.src_ip} → ${aliases.name(r.dst_ip, r.dst_port) ?? r.dst_ip}`, value: r.mos! })), MOS_FAIR).slice(0, 10), [rows, aliases]);
  return (
    <>
      <Chart label="MOS of calls" low={1} high={5} gaps times={time.times} zoom={zoom}
        lines={[{ label: "median", values: time.median, colour: "--s2" }, { label: "worst twentieth", values: time.low, colour: "--s4" }]} />
      <div class="pair">
        <Spread label="MOS" buckets={spread(values("mos"), [2.5, 3.1, 3.6, 4.03, 4.3], "")} look={(from) => lookOfMos(Math.max(from, 1)).tone} />
        <Spread label="Loss" buckets={spread(values("loss"), [0.5, 1, 2, 5, 10], " %")} look={(from) => (from >= 2 ? "poor" : from >= 1 ? "fair" : "good")} />
        <Spread label="Jitter" buckets={spread(values("jitter_ms"), [5, 10, 20, 30, 50], " ms")} look={(from) => (from >= 30 ? "poor" : from >= 20 ? "fair" : "good")} />
        <Spread label="Round trip" buckets={spread(values("rtt_ms"), [50, 100, 150, 300, 500], " ms")} look={(from) => (from >= 300 ? "poor" : from >= 150 ? "fair" : "good")} />
      </div>
      <section class="board">
        <h2>Ways that sound worst</h2>
        <div class="table-box"><table class="plain-table">
          <thead><tr><th>From and to</th><th class="right">Calls</th><th>Mean MOS</th><th class="right">Below {MOS_FAIR}</th></tr></thead>
          <tbody>{ways.map((g) => <tr key={g.name}><td><Text text={g.name} /></td><td class="right">{number(g.count)}</td><td><Mos mos={g.mean} /></td><td class="right">{Math.round(g.poor * 100)} %</td></tr>)}</tbody>
        </table></div>
      </section>
    </>
  );
}
