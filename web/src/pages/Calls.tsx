// Calls, one row for each: the start page.

import { useState } from "preact/hooks";

import { address, ask, problemOf, query } from "../lib/api";
import { csv, flagsOf, outcome, stateColour } from "../lib/call";
import { rememberCalls } from "../lib/calls";
import { save } from "../lib/save";
import { party, span, spanMs } from "../lib/text";
import { micros, wall } from "../lib/time";
import { usePref } from "../lib/prefs";
import type { Row, SearchAnswer } from "../lib/types";
import { go, href } from "../lib/url";
import { Facts, Text, Wrong } from "../ui/bits";
import { endColumns, numberColumn, textColumn, timeColumn } from "../ui/columns";
import { Findings } from "../ui/Findings";
import { Mos, State } from "../ui/marks";
import { Results, type AliasOf, type Panel, type ResultKind } from "../ui/Results";
import type { Column } from "../ui/Table";
import type { PageProps } from "./page";

export const CALL_COLUMNS = "ts,seq,call_id,src_ip,src_port,dst_ip,dst_port,proto,from_user,from_host,to_user,to_host,ruri_user,ruri_host,status,reason,q850_cause," +
  "state,call_flags,hangup,answered,ended,last,pdd_ms,ring_ms,talk_ms,messages,retransmissions,codec,caller_agent,callee_agent,legs,group_id," +
  "mos,loss,jitter_ms,rtt_ms,caller_mos,callee_mos,caller_loss,callee_loss,caller_jitter_ms,callee_jitter_ms";

const called = (r: Row): string => party(r.to_user ?? r.ruri_user, r.to_host ?? r.ruri_host);

export function callColumns(zone: string, days: boolean, alias: AliasOf): Column<Row>[] {
  return [
    timeColumn(zone, days),
    { key: "state", title: "State", width: "116px", phone: true, sort: (r) => r.state, cell: (r) => <State state={r.state ?? ""} /> },
    textColumn("from", "From", "minmax(168px, 1.6fr)", (r) => party(r.from_user, r.from_host), { phone: true }),
    textColumn("to", "To", "minmax(168px, 1.6fr)", called, { phone: true }),
    { key: "mos", title: "MOS", width: "70px", class: "right", phone: true, sort: (r) => r.mos, cell: (r) => <Mos mos={r.mos} /> },
    { key: "status", title: "Response", width: "minmax(90px, 1fr)", sort: (r) => r.status,
      cell: (r) => r.status !== undefined && <span class={`what s${String(r.status)[0]}`}><Text text={outcome(r)} /></span> },
    numberColumn("pdd", "PDD", "76px", (r) => r.pdd_ms, spanMs),
    numberColumn("ring", "Ring", "76px", (r) => r.ring_ms, spanMs),
    numberColumn("talk", "Talk", "84px", (r) => r.talk_ms, spanMs),
    numberColumn("loss", "Loss", "70px", (r) => r.loss, (n) => `${n} %`),
    numberColumn("jitter", "Jitter", "76px", (r) => r.jitter_ms, spanMs),
    numberColumn("rtt", "RTT", "76px", (r) => r.rtt_ms, spanMs),
    textColumn("codec", "Codec", "80px", (r) => r.codec),
    textColumn("hangup", "Ended by", "80px", (r) => r.hangup),
    numberColumn("cause", "Cause", "60px", (r) => r.q850_cause),
    textColumn("flags", "Remarkable", "minmax(90px, .8fr)", (r) => flagsOf(r).join(", ") || undefined, { class: "dim" }),
    numberColumn("legs", "Legs", "54px", (r) => r.legs, (n) => (n > 1 ? String(n) : "")),
    ...endColumns(alias),
    textColumn("call", "Call-ID", "minmax(120px, 1.2fr)", (r) => r.call_id, { class: "dim" }),
    numberColumn("messages", "Messages", "80px", (r) => r.messages),
    textColumn("uac", "Caller's program", "minmax(110px, 1fr)", (r) => r.caller_agent),
    textColumn("uas", "Callee's program", "minmax(110px, 1fr)", (r) => r.callee_agent),
  ];
}

const CALLS: ResultKind = {
  page: "calls", path: "api/v1/calls", of: "calls", title: "Calls", one: "call", ask: CALL_COLUMNS, by: "state", colour: stateColour,
  columns: callColumns, preset: ["time", "state", "from", "to", "mos", "status", "talk", "pdd", "flags", "legs", "source", "destination"], chosen: "callColumns",
  placeholder: "user:+1555* state:failed mos:<3.5 ip:10.0.0.0/8     (empty: every call)",
};

export function openCall(row: Row | undefined, rows: Row[]): void {
  if (!row?.call_id) return;
  rememberCalls(rows.flatMap((r) => r.call_id ?? []));
  go("call", { id: row.call_id });
}

const FILE_ROWS = 100_000;

export function Calls({ place: { params: p } }: PageProps) {
  const [live, setLive] = useState(false);
  const [failed, setFailed] = useState<unknown>(null);
  const range = { q: p.q, from: p.from === "all" ? "" : p.from, to: p.to };
  const attempt = (work: Promise<void>) => void work.then(() => setFailed(null), setFailed);
  return (
    <Results kind={CALLS} params={p} live={live} open={openCall}
      extra={<Wrong error={failed} />}
      tools={<button type="button" aria-pressed={live} class={live ? "is-live" : ""} title="Ask again every two seconds" onClick={() => setLive(!live)}>
        <span class={`beacon ${live ? "open" : ""}`} aria-hidden="true" /> Live</button>}
      exports={() => <>
        <button type="button" onClick={() => attempt(saveCapture(range))}>pcap of these calls</button>
        <button type="button" onClick={() => attempt(saveCsv(range))}>CSV</button>
        <a href={address("api/v1/calls", { ...range, limit: FILE_ROWS, format: "jsonl" })} download="calls.jsonl">JSON lines</a>
      </>}
      beside={(row, panel) => <Preview row={row} panel={panel} />} />
  );
}

const allCalls = (range: Record<string, string | undefined>, columns: string, limit: number) =>
  ask<SearchAnswer>("api/v1/calls", { ...range, columns, limit });

async function saveCsv(range: Record<string, string | undefined>): Promise<void> {
  const { rows } = await allCalls(range, CALL_COLUMNS, FILE_ROWS);
  save("calls.csv", csv(rows, CALL_COLUMNS.split(",")), "text/csv");
}

const CAPTURE_CALLS = 1000; // that an export takes

async function saveCapture(range: Record<string, string | undefined>): Promise<void> {
  const { rows } = await allCalls(range, "call_id", CAPTURE_CALLS);
  const ids = rows.flatMap((r) => r.call_id ?? []).join(",");
  const reply = await fetch(address("api/v1/export"), {
    method: "POST", body: query({ call_id: ids, format: "pcapng" }), headers: { "Content-Type": "application/x-www-form-urlencoded" },
  });
  if (!reply.ok) throw await problemOf(reply);
  save("calls.pcapng", await reply.blob());
}

/** A call beside the list, without leaving it. */
function Preview({ row, panel }: { row: Row; panel: Panel }) {
  const [zone] = usePref("zone");
  const time = (ts?: string) => (ts === undefined ? "" : `${wall(micros(ts), zone).slice(0, 23)}${ts === row.ts ? "" : ` (+${span(micros(ts) - micros(row.ts))})`}`);
  const heard = (who: "caller" | "callee") => {
    const of = (name: string) => row[`${who}_${name}`] as number | undefined;
    return of("mos") === undefined ? "" : <><Mos mos={of("mos")} /> · {of("loss") ?? 0} % lost · {spanMs(of("jitter_ms"))} jitter</>;
  };
  return (
    <section class="message" aria-label="Call">
      <header>
        <h2><Text text={party(row.from_user, row.from_host)} /> → <Text text={called(row)} /></h2>
        <div class="buttons">
          {row.call_id && <a class="button primary small" href={href("call", { id: row.call_id })}>Open</a>}
          {panel.previous && <button type="button" class="icon" aria-label="Previous call" onClick={panel.previous}>↑</button>}
          {panel.next && <button type="button" class="icon" aria-label="Next call" onClick={panel.next}>↓</button>}
          <button type="button" class="icon" aria-label="Close" onClick={panel.close}>✕</button>
        </div>
      </header>
      <div class="panel" tabIndex={0} role="region" aria-label="Of this call">
        {row.state && <p><State state={row.state} /> <Text text={outcome(row)} /></p>}
        {row.call_id && <Findings id={row.call_id} />}
        <Facts list={[
          ["began", time(row.ts)], ["answered", time(row.answered)], ["ended", time(row.ended)], ["ended by", row.hangup ?? ""],
          ["post dial delay", spanMs(row.pdd_ms)], ["rang", spanMs(row.ring_ms)], ["talked", spanMs(row.talk_ms)],
          ["caller heard", heard("caller")], ["callee heard", heard("callee")], ["codec", row.codec ?? ""],
          ["remarkable", flagsOf(row).join(", ")], ["legs", (row.legs ?? 1) > 1 ? String(row.legs) : ""],
          ["caller's program", row.caller_agent ?? ""], ["callee's program", row.callee_agent ?? ""],
          ["messages", row.messages === undefined ? "" : String(row.messages)], ["sent again", row.retransmissions ? String(row.retransmissions) : ""],
          ["Call-ID", row.call_id ?? ""],
        ]} />
      </div>
    </section>
  );
}
