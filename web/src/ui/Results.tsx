// What the pages of results have in common: search, histogram, table that goes on, one row beside it.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { address, ask } from "../lib/api";
import { usePref } from "../lib/prefs";
import { useAliases } from "../lib/shared";
import { number } from "../lib/text";
import { micros, type Range } from "../lib/time";
import type { Counts, Row, SearchAnswer } from "../lib/types";
import { go, href } from "../lib/url";
import { AskBar, questionOf } from "./AskBar";
import { Menu, useAsk, useKeys, usePhone, Wrong } from "./bits";
import { Histogram } from "./Histogram";
import type { Of } from "./SearchBar";
import { Table, type Column } from "./Table";

export type AliasOf = (ip?: string, port?: number) => string | null;

/** Layout of one kind of results. */
export interface ResultKind {
  page: string;
  path: string; // of the API
  of: Of; // to /api/v1/counts and /api/v1/values
  title: string;
  one: string;
  ask: string; // columns that are asked for
  by: string; // what colours the histogram
  colour: (value: string) => string;
  columns: (zone: string, days: boolean, alias: AliasOf) => Column<Row>[];
  preset: string[]; // keys of the columns that are shown at first
  chosen: "columns" | "callColumns" | "registrationColumns"; // where others are remembered
  placeholder?: string;
  rowClass?: (row: Row) => string;
}

interface Props {
  kind: ResultKind;
  params: Readonly<Record<string, string>>;
  live?: boolean; // asks again by itself
  open: (row: Row, rows: Row[]) => void; // Enter, double click
  beside: (row: Row, panel: Panel) => ComponentChildren;
  tools?: ComponentChildren;
  exports?: (file: (format: string, more?: Record<string, string>) => string) => ComponentChildren;
  extra?: ComponentChildren; // between histogram and table
}

export interface Panel {
  close: () => void;
  previous?: () => void;
  next?: () => void;
  narrow: (test: string) => void; // a filter instead of the present one
}

const PAGE = 200;
const LIVE_MS = 2000;
const HALF_DAY = 43200e6;

export const rowId = (r: { seq: number; ts: string }): string => `${r.seq}@${r.ts}`;

function parseRowId(text: string | undefined): { seq: number; ts: string } | null {
  const m = /^(\d+)@(.+)$/.exec(text ?? "");
  return m && { seq: Number(m[1]), ts: m[2] };
}

/** Rows that were there stay below newer ones, as long as they are behind what the new answer tells. */
function merge(old: Row[], page: Row[], whole: boolean): Row[] {
  if (whole || page.length === 0) return page;
  const last = page[page.length - 1];
  const known = new Set(page.map(rowId));
  return [...page, ...old.filter((r) => !known.has(rowId(r)) && (r.ts < last.ts || (r.ts === last.ts && r.seq < last.seq)))];
}

interface Loaded {
  rows: Row[];
  answer: SearchAnswer | null;
  key: string;
}

/** The answer to a question, and what follows it when somebody scrolls. */
function useResults(kind: ResultKind, question: Record<string, string>, key: string, tick: number) {
  const [loaded, setLoaded] = useState<Loaded>({ rows: [], answer: null, key: "" });
  const more = useRef<AbortController | null>(null);
  const request = { ...question, limit: PAGE, columns: kind.ask };
  const search = useAsk(`${key} ${tick}`, (signal) => ask<SearchAnswer>(kind.path, { ...request, total: 1 }, signal).then((a) => ({ ...a, key })));

  useLayoutEffect(() => {
    const a = search.data;
    if (!a) return;
    more.current?.abort();
    more.current = null;
    setLoaded((l) => {
      const rows = l.key === a.key ? merge(l.rows, a.rows, a.next === null) : a.rows;
      return { rows, answer: rows.length > a.rows.length && l.answer ? { ...a, next: l.answer.next } : a, key: a.key };
    });
  }, [search.data]);

  const loadMore = async () => {
    const after = loaded.answer?.next;
    if (!after || more.current || search.busy) return;
    const stop = (more.current = new AbortController());
    try {
      const a = await ask<SearchAnswer>(kind.path, { ...request, after }, stop.signal);
      if (!stop.signal.aborted)
        setLoaded((l) => ({ ...l, rows: [...l.rows, ...a.rows], answer: { ...a, total: l.answer?.total, total_exact: l.answer?.total_exact } }));
    } catch {
      // What is on the screen stays; scrolling asks again.
    } finally {
      if (more.current === stop) more.current = null;
    }
  };
  return { search, loaded, loadMore };
}

interface Sort {
  key: string;
  down: boolean;
}

function sorted(rows: Row[], by: Column<Row>["sort"], down: boolean): Row[] {
  if (!by) return rows;
  const sign = down ? -1 : 1;
  return [...rows].sort((x, y) => {
    const [a, b] = [by(x), by(y)];
    if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
    return (a < b ? -1 : a > b ? 1 : 0) * sign;
  });
}

/** On a phone texts give way first. */
const narrow = (c: Column<Row>): Column<Row> => ({ ...c, width: c.width.replace(/^minmax\(\d+px/, "minmax(84px") });

/** Counts up while live; not while nobody looks. */
function useTick(on: boolean): number {
  const [tick, set] = useState(0);
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => document.visibilityState === "visible" && set((t) => t + 1), LIVE_MS);
    return () => clearInterval(timer);
  }, [on]);
  return tick;
}

export function Results({ kind, params: p, live = false, open, beside, tools, exports, extra }: Props) {
  const asked = questionOf(kind.page, p);
  const { q, range, key } = asked;
  const phone = usePhone();
  const [zone] = usePref("zone");
  const aliases = useAliases();
  const [wanted, setWanted] = usePref(kind.chosen);
  const [sort, setSort] = useState<Sort | null>(null);
  const tick = useTick(live);

  const question = { q, from: range.from, to: range.to };
  const { search, loaded, loadMore } = useResults(kind, question, key, tick);
  const counts = useAsk(`${key} ${tick}`, (signal) =>
    ask<Counts>("api/v1/counts", { ...question, of: kind.of === "messages" ? "" : kind.of, by: kind.by, top: 12 }, signal));

  const all = useMemo(() => {
    const [first, last] = [loaded.rows[0], loaded.rows[loaded.rows.length - 1]];
    const days = first !== undefined && (micros(first.ts) - micros(last.ts) > HALF_DAY || Date.now() * 1000 - micros(first.ts) > HALF_DAY);
    return kind.columns(zone, days, (ip, port) => aliases.name(ip, port));
  }, [kind, loaded.rows, zone, aliases]);
  const names = wanted.length > 0 ? wanted : kind.preset;
  const columns = phone ? all.filter((c) => c.phone).map(narrow) : all.filter((c) => names.includes(c.key));
  const rows = useMemo(() => sorted(loaded.rows, sort ? all.find((c) => c.key === sort.key)?.sort : undefined, sort?.down ?? false), [loaded.rows, sort, all]);

  const chosen = useMemo(() => (p.m ? rows.findIndex((r) => rowId(r) === p.m) : -1), [rows, p.m]);
  const choose = (i: number) => rows[i] && go(kind.page, { ...p, m: rowId(rows[i]) }, true);
  const close = () => go(kind.page, { ...p, m: undefined }, true);
  const step = (by: number) => choose(Math.min(Math.max(chosen + by, 0), rows.length - 1));
  useKeys((k) => {
    if (k === "Escape" && p.m) return close(), true;
    if ((k === "j" || k === "k") && rows.length > 0) return step(k === "j" ? 1 : -1), true;
    if (k === "Enter" && chosen >= 0) return open(rows[chosen], rows), true;
  });

  // A row of a link that is not among the newest is shown all the same.
  const shown = rows[chosen] ?? (search.data ? (parseRowId(p.m) as Row | null) : null);
  const answer = loaded.answer;
  const file = (format: string, more: Record<string, string> = {}) => address("api/v1/export", { ...question, format, ...more });

  return (
    <div class="page">
      <h1 class="sr">{kind.title}</h1>
      <AskBar page={kind.page} of={kind.of} question={asked} placeholder={kind.placeholder} />
      <Wrong error={search.error} filter={q} again={search.again} />
      <Histogram counts={counts.data} zoom={asked.zoom} colour={kind.colour} what={kind.of === "registrations" ? "attempts" : kind.of} />
      {extra}
      <div class="status">
        <Told answer={answer} shown={rows.length} kind={kind} busy={search.busy} ms={search.ms} sorted={sort !== null} />
        <span class="grow" />
        {tools}
        <Menu label="Columns">
          {all.map((c) => (
            <label key={c.key} class="check"><input type="checkbox" checked={names.includes(c.key)}
              onChange={() => setWanted(all.map((x) => x.key).filter((k) => (k === c.key) !== names.includes(k)))} />{c.title}</label>
          ))}
          <button type="button" onClick={() => setWanted([])}>Usual ones</button>
        </Menu>
        {exports && <Menu label="Export">{exports(file)}</Menu>}
      </div>
      <div class={`split${shown ? " open" : ""}`}>
        <Table rows={rows} columns={columns} id={rowId} label={kind.title} total={answer?.total} chosen={chosen} choose={choose} open={(i) => open(rows[i], rows)}
          end={() => void loadMore()} sort={sort} setSort={(k) => setSort((s) => (s?.key !== k ? { key: k, down: false } : s.down ? null : { key: k, down: true }))}
          rowClass={kind.rowClass} empty={!search.busy && !search.error && <Nothing one={kind.one} q={q} range={range} zoom={asked.zoom} />} />
        {shown && (
          <aside>
            {beside(shown, { close, narrow: asked.submit, previous: chosen > 0 ? () => step(-1) : undefined, next: chosen >= 0 && chosen < rows.length - 1 ? () => step(1) : undefined })}
          </aside>
        )}
      </div>
    </div>
  );
}

/** How many there are, and what is not sure about it. */
function Told({ answer, shown, kind, busy, ms, sorted }: { answer: SearchAnswer | null; shown: number; kind: ResultKind; busy: boolean; ms: number; sorted: boolean }) {
  if (!answer) return <span role="status">{busy ? "Searching…" : ""}</span>;
  const total = answer.total === undefined ? "" : `${answer.total_exact ? "" : "at least "}${number(answer.total)} `;
  const many = `${kind.one}${answer.total === 1 ? "" : "s"}`;
  return (
    <span role="status">
      {shown === 0 ? "Nothing matches." : <><b>{total}</b>{many}{answer.total !== shown && `, the newest ${number(shown)} shown`}{sorted && " (sorted among these)"} <span class="note">· {Math.round(ms)} ms</span></>}
      {answer.problem && <span class="warn"> Not all: {answer.problem}</span>}
      {answer.unread ? <span class="warn"> {answer.unread} could not be read</span> : null}
    </span>
  );
}

function Nothing({ one, q, range, zoom }: { one: string; q: string; range: Range; zoom: (r: Range) => void }) {
  return (
    <div class="nothing">
      <p>{q ? `No ${one} matches this filter in this range.` : `There are no ${one}s in this range.`}</p>
      <p>
        {(range.from !== "" || range.to !== "") && <button type="button" onClick={() => zoom({ from: "", to: "" })}>Look at all times</button>}{" "}
        <a class="button" href={href("senders")}>Why do I see nothing?</a>
      </p>
    </div>
  );
}
