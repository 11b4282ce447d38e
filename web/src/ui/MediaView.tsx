// How it sounded: reports on media over time, a line for each stream and direction.

import { useMemo, useState } from "preact/hooks";

import { align, figures, streams, type Measure, type Stream } from "../lib/media";
import { title } from "../lib/text";
import { micros } from "../lib/time";
import type { Row } from "../lib/types";
import { Text } from "./bits";
import { Chart, type Mark } from "./Chart";
import { Mos } from "./marks";

const MEASURES: { key: Measure; name: string; unit: string; low?: number; high?: number }[] = [
  { key: "mos", name: "MOS", unit: "", low: 1, high: 5 }, { key: "loss", name: "Loss", unit: "%", low: 0 },
  { key: "jitter_ms", name: "Jitter", unit: "ms", low: 0 }, { key: "rtt_ms", name: "Round trip", unit: "ms", low: 0 },
];

const COLOURS = ["--request", "--s5", "--s2", "--s3", "--media", "--s4", "--s1", "--accent"];

/** Moments of the signalling that media are seen against. */
function marksOf(rows: Row[]): Mark[] {
  const shown = (r: Row) => r.table === "sip" && ((r.status === undefined && (r.method === "INVITE" || r.method === "BYE" || r.method === "CANCEL")) ||
    (r.method === "INVITE" && r.status !== undefined && r.status >= 180));
  const marks: Mark[] = [];
  for (const r of rows.filter(shown)) {
    const label = title(r);
    if (!marks.some((m) => m.label === label && Math.abs(m.at - micros(r.ts) / 1e6) < 0.5)) marks.push({ at: micros(r.ts) / 1e6, label });
  }
  return marks;
}

export function MediaView({ reports, rows, jump }: { reports: Row[]; rows: Row[]; jump: (row: Row) => void }) {
  const all = useMemo(() => streams(reports), [reports]);
  const marks = useMemo(() => marksOf(rows), [rows]);
  const span = useMemo<[number, number]>(() => {
    const times = [...rows, ...reports].map((r) => micros(r.ts) / 1e6);
    return [Math.min(...times), Math.max(...times)];
  }, [rows, reports]);
  const [off, setOff] = useState<ReadonlySet<string>>(new Set());
  const colour = (s: Stream) => COLOURS[all.indexOf(s) % COLOURS.length];
  const shown = all.filter((s) => !off.has(s.key));
  const toggle = (key: string) => {
    const next = new Set(off);
    if (!next.delete(key)) next.add(key);
    setOff(next);
  };
  // A click goes to the message that brought the report.
  const choose = (seconds: number) => {
    const report = reports.find((r) => Math.abs(micros(r.ts) / 1e6 - seconds) < 1e-6);
    if (report) jump(report);
  };
  if (all.length === 0) return <div class="nothing"><p>Nobody reported on the media of this call.</p><p class="note">RTCP of its hosts, RTP statistics of agents, or a header such as X-RTP-Stat would.</p></div>;
  return (
    <div class="media" tabIndex={0} role="region" aria-label="Media">
      <div class="table-box">
        <table class="plain-table">
          <thead><tr><th>Stream</th><th class="right">Reports</th><th>MOS, worst and mean</th>{MEASURES.slice(1).map((m) => <th key={m.key}>{m.name}, mean and most</th>)}<th>Codec</th></tr></thead>
          <tbody>{all.map((s) => <StreamRow key={s.key} stream={s} colour={colour(s)} on={!off.has(s.key)} toggle={() => toggle(s.key)} />)}</tbody>
        </table>
      </div>
      {MEASURES.map((m) => {
        const { times, values } = align(shown, m.key);
        if (values.every((line) => line.every((v) => v === null))) return null;
        const lines = shown.map((s, i) => ({ label: s.label, values: values[i], colour: colour(s), dash: s.heardBy === "callee" ? [6, 3] : undefined }));
        return <Chart key={m.key} label={m.name} unit={m.unit} low={m.low} high={m.high} times={times} lines={lines} marks={marks} span={span} sync="media" choose={choose} />;
      })}
      <p class="note">MOS is an estimate by the E-model of each interval between two reports. A click on a chart goes to the message that brought the report.</p>
    </div>
  );
}

function StreamRow({ stream: s, colour, on, toggle }: { stream: Stream; colour: string; on: boolean; toggle: () => void }) {
  const mos = figures(s, "mos");
  const pair = (m: Measure, unit: string) => {
    const f = figures(s, m);
    return f ? `${f.mean.toFixed(1)} · ${f.most.toFixed(1)} ${unit}` : "";
  };
  return (
    <tr>
      <th scope="row"><label class="check"><input type="checkbox" checked={on} onChange={toggle} /><i class="swatch" style={{ background: `var(${colour})` }} /> {s.label}</label></th>
      <td class="right">{s.reports.length}</td>
      <td>{mos && <><Mos mos={mos.least} /> · <Mos mos={mos.mean} /></>}</td>
      {MEASURES.slice(1).map((m) => <td key={m.key}>{pair(m.key, m.unit)}</td>)}
      <td><Text text={s.reports.find((r) => r.codec)?.codec ?? ""} /></td>
    </tr>
  );
}
