// Key figures of calls, over time and by group (docs/kpi.md).

import { ask } from "../lib/api";
import { stateColour } from "../lib/call";
import { addTest, quote } from "../lib/filter";
import { stepOf } from "../lib/kpi";
import { number, spanMs } from "../lib/text";
import { micros, toIso } from "../lib/time";
import type { Counts } from "../lib/types";
import { go, href } from "../lib/url";
import { AskBar, questionOf, type Question } from "../ui/AskBar";
import { Text, useAsk, Wrong } from "../ui/bits";
import { Chart } from "../ui/Chart";
import { Histogram } from "../ui/Histogram";
import type { PageProps } from "./page";

interface Figures {
  attempts: number;
  undecided: number;
  answered: number;
  asr: number | null;
  ner: number | null;
  seer: number | null;
  acd_s: number | null;
  pdd_p50_ms: number | null;
  pdd_p95_ms: number | null;
  cps: number | null;
  erlang: number | null;
}

interface KpiAnswer extends Figures {
  exact: boolean;
  problem?: string;
  buckets?: (Figures & { from: string })[];
  values?: number;
  groups?: (Figures & { value: string })[];
}

const GROUPS: [string, string][] = [
  ["dst", "called address"], ["src", "calling address"], ["from", "caller"], ["to", "called number"], ["uac", "caller's program"], ["uas", "callee's program"],
  ["codec", "codec"], ["status", "response"], ["cause", "Q.850 cause"], ["proto", "transport"],
];

const percent = (x: number | null): string => (x === null ? "–" : `${x.toFixed(1)} %`);
const decimal = (x: number | null): string => (x === null ? "–" : number(x));

const TILES: [string, string, (f: Figures) => string][] = [
  ["Attempts", "calls whose fate is decided", (f) => number(f.attempts)], ["Running", "calling, ringing, early", (f) => number(f.undecided)],
  ["ASR", "answered of all attempts", (f) => percent(f.asr)], ["NER", "answered, busy, refused or given up: the network did its part", (f) => percent(f.ner)],
  ["SEER", "session establishment effectiveness", (f) => percent(f.seer)], ["ACD", "mean talk time", (f) => spanMs(f.acd_s === null ? null : f.acd_s * 1000) || "–"],
  ["PDD", "post dial delay of half the calls", (f) => spanMs(f.pdd_p50_ms) || "–"], ["PDD 95 %", "post dial delay that 95 % do not exceed", (f) => spanMs(f.pdd_p95_ms) || "–"],
  ["CPS", "attempts a second", (f) => decimal(f.cps)], ["Erlang", "calls at a time", (f) => decimal(f.erlang)],
];

/** Counts by a value over the range of the page. */
function useCounts(asked: Question, of: string, by: string, q = asked.q) {
  const { range, key } = asked;
  return useAsk(`${of} ${by} ${key}`, (signal) => ask<Counts>("api/v1/counts", { of, by, q, from: range.from, to: range.to, top: 12 }, signal));
}

export function Dashboard({ place: { params: p } }: PageProps) {
  const asked = questionOf("dashboard", p);
  const by = p.by ?? "dst";
  const kpi = useAsk(`${asked.key} ${by}`, (signal) => ask<KpiAnswer>("api/v1/kpi", { q: asked.q, from: asked.range.from, to: asked.range.to, by, groups: 20 }, signal));
  const states = useCounts(asked, "calls", "state");
  const responses = useCounts(asked, "calls", "status");
  const registers = useCounts(asked, "registrations", "state", "");
  return (
    <div class="page scroll">
      <h1 class="sr">Dashboard</h1>
      <AskBar page="dashboard" of="calls" question={asked} placeholder="dst:10.0.0.5     (empty: every call)" />
      <Wrong error={kpi.error ?? states.error} filter={asked.q} again={kpi.again} />
      {kpi.data && !kpi.data.exact && <p class="warn">Not all calls could be looked at. {kpi.data.problem}</p>}
      <ul class="tiles" aria-label="Key figures">{TILES.map(([name, what, show]) => <li key={name} title={what}><span class="note">{name}</span><b>{kpi.data ? show(kpi.data) : "…"}</b></li>)}</ul>
      <Board title="Calls by state"><Histogram counts={states.data} zoom={asked.zoom} colour={stateColour} what="calls" /></Board>
      {states.data && states.data.starts.length > 0 && <OverTime counts={states.data} asked={asked} />}
      <div class="pair">
        <Board title="Final responses"><Histogram counts={responses.data} zoom={asked.zoom} colour={(v) => (/^[1-6]/.test(v) ? `s${Math.min(Number(v[0]), 5)}` : "other")} what="calls" /></Board>
        <Board title="Attempts to register"><Histogram counts={registers.data} zoom={asked.zoom} colour={stateColour} what="attempts" /></Board>
      </div>
      <Board title={<>By <select aria-label="Group by" value={by} onChange={(e) => go("dashboard", { ...p, by: e.currentTarget.value })}>{GROUPS.map(([k, name]) => <option key={k} value={k}>{name}</option>)}</select></>}>
        {kpi.data?.groups && <Groups list={kpi.data.groups} by={by} asked={asked} />}
      </Board>
    </div>
  );
}

function Board({ title, children }: { title: preact.ComponentChildren; children: preact.ComponentChildren }) {
  return <section class="board"><h2>{title}</h2>{children}</section>;
}

type Figure = { label: string; of: (f: Figures) => number | null; colour: string };

/** Lines that stand together: of one unit. */
const LINES: { name: string; unit?: string; low?: number; high?: number; lines: Figure[] }[] = [
  { name: "Answered", unit: "%", low: 0, high: 100, lines: [
    { label: "ASR", of: (f) => f.asr, colour: "--s2" }, { label: "NER", of: (f) => f.ner, colour: "--s1" }, { label: "SEER", of: (f) => f.seer, colour: "--s3" }] },
  { name: "Post dial delay", unit: "ms", low: 0, lines: [
    { label: "half of the calls", of: (f) => f.pdd_p50_ms, colour: "--s2" }, { label: "95 %", of: (f) => f.pdd_p95_ms, colour: "--s4" }] },
  { name: "Mean talk time", unit: "s", low: 0, lines: [{ label: "ACD", of: (f) => f.acd_s, colour: "--s2" }] },
  { name: "Load", low: 0, lines: [
    { label: "calls at a time", of: (f) => f.erlang, colour: "--s2" }, { label: "attempts a second", of: (f) => f.cps, colour: "--s3" }] },
];

function OverTime({ counts, asked }: { counts: Counts; asked: Question }) {
  const step = stepOf((counts.starts.length * (counts.interval_us ?? 1e6)) / 1e6);
  const kpi = useAsk(`steps ${asked.key} ${step}`, (signal) =>
    ask<KpiAnswer>("api/v1/kpi", { q: asked.q, from: asked.range.from, to: asked.range.to, step: `${step}s` }, signal));
  const buckets = kpi.data?.buckets ?? [];
  const times = buckets.map((b) => micros(b.from) / 1e6);
  return (
    <div class="pair" aria-label="Key figures over time">
      <Wrong error={kpi.error} again={kpi.again} />
      {buckets.length > 0 && LINES.map(({ name, unit, low, high, lines }) => (
        <Chart key={name} label={name} unit={unit} low={low} high={high} height={120} gaps times={times} sync="kpi"
          lines={lines.map(({ label, of, colour }) => ({ label, colour, values: buckets.map(of) }))}
          zoom={(a, b) => asked.zoom({ from: toIso(a * 1e6), to: toIso(b * 1e6) })} />
      ))}
    </div>
  );
}

function Groups({ list, by, asked }: { list: (Figures & { value: string })[]; by: string; asked: Question }) {
  const shown = TILES.filter(([name]) => name !== "Running" && name !== "SEER");
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="Figures by group">
      <table class="plain-table">
        <thead><tr><th>Value</th>{shown.map(([name, what]) => <th key={name} class="right" title={what}>{name}</th>)}</tr></thead>
        <tbody>{list.map((g) => (
          <tr key={g.value}>
            <th scope="row"><a href={href("calls", { q: addTest(asked.q, `${by}:${quote(g.value)}`), from: asked.range.from || "all", to: asked.range.to })}><Text text={g.value} /></a></th>
            {shown.map(([name, , show]) => <td key={name} class="right">{show(g)}</td>)}
          </tr>
        ))}</tbody>
      </table>
    </div>
  );
}
