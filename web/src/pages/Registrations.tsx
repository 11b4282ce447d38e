// Who is registered, who fails to, and each attempt.

import { useState } from "preact/hooks";

import { ask } from "../lib/api";
import { lookOf, outcome, stateColour } from "../lib/call";
import { quote } from "../lib/filter";
import { usePref } from "../lib/prefs";
import { useAliases } from "../lib/shared";
import { number, party, place, spanMs } from "../lib/text";
import { micros, wall } from "../lib/time";
import type { Row, SearchAnswer } from "../lib/types";
import { go, href } from "../lib/url";
import { Facts, Text, useAsk, usePhone, Wrong } from "../ui/bits";
import { endColumns, End, numberColumn, textColumn, timeColumn } from "../ui/columns";
import { State } from "../ui/marks";
import { Results, type AliasOf, type ResultKind } from "../ui/Results";
import { Table, type Column } from "../ui/Table";
import { Tabs } from "../ui/Tabs";
import { openCallOf } from "./Messages";
import type { PageProps } from "./page";

interface Binding {
  contact: string;
  holds: boolean;
  expires_at?: string;
  user_agent?: string;
  src_ip?: string;
  src_port?: number;
}

interface Aor extends Row {
  aor: string;
  since?: string;
  last_attempt?: string;
  last_success?: string;
  attempts: number;
  failed: number;
  failed_in_a_row: number;
  changes: number;
  contacts: number;
  bindings: Binding[];
}

interface Answer {
  registrations: Aor[];
  total: number;
  states: Record<string, number>;
}

const MOST = 1000;
const VIEWS: [string, string][] = [["aors", "Addresses of record"], ["attempts", "Attempts"]];

export function Registrations({ place: at }: PageProps) {
  const view = at.params.view ?? "aors";
  return (
    <div class="page">
      <Tabs label="Views of registrations" tabs={VIEWS} chosen={view} choose={(v) => go("registrations", { view: v === "aors" ? undefined : v })} />
      {view === "aors" ? <Aors params={at.params} /> : <Attempts params={at.params} />}
    </div>
  );
}

function aorColumns(zone: string, alias: AliasOf): Column<Aor>[] {
  const time = (ts?: string) => (ts ? wall(micros(ts), zone).slice(0, 19) : "");
  return [
    { key: "aor", title: "Address of record", width: "minmax(160px, 1.6fr)", phone: true, cell: (r) => <Text text={r.aor} /> },
    { key: "state", title: "State", width: "136px", phone: true, cell: (r) => <State state={r.state ?? ""} /> },
    { key: "response", title: "Last response", width: "minmax(110px, 1fr)", cell: (r) => <Text text={outcome(r)} /> },
    { key: "last", title: "Last attempt", width: "160px", class: "mono", cell: (r) => time(r.last_attempt) },
    { key: "source", title: "From", width: "minmax(130px, 1fr)", cell: (r) => <End alias={alias} ip={r.src_ip} port={r.src_port} /> },
    { key: "agent", title: "Program", width: "minmax(110px, 1.2fr)", cell: (r) => <Text text={r.user_agent ?? ""} /> },
    { key: "bindings", title: "Bindings", width: "80px", class: "right", cell: (r) => r.contacts },
    { key: "failed", title: "Failed", width: "110px", class: "right", phone: true, cell: (r) => `${number(r.failed)} of ${number(r.attempts)}` },
  ];
}

function Aors({ params: p }: { params: Readonly<Record<string, string>> }) {
  const [zone] = usePref("zone");
  const aliases = useAliases();
  const phone = usePhone();
  const [text, setText] = useState(p.aor ?? "");
  const state = p.state ?? "any";
  const { data, error, again, busy } = useAsk(`${p.aor} ${state}`, (signal) => ask<Answer>("api/v1/registrations", { aor: p.aor, state, limit: MOST }, signal));
  const rows = data?.registrations ?? [];
  const chosen = rows.findIndex((r) => r.aor === p.m);
  const set = (change: Record<string, string | undefined>, replace = false) => go("registrations", { ...p, ...change }, replace);
  const row = rows[chosen];
  return (
    <>
      <h1 class="sr">Registrations</h1>
      <form class="bar" role="search" onSubmit={(e) => (e.preventDefault(), set({ aor: text.trim(), m: undefined }))}>
        <input class="grow" aria-label="Address of record" placeholder="1001, 1001@example.com, @example.com, +1555*     (empty: all)" value={text} spellcheck={false} onInput={(e) => setText(e.currentTarget.value)} />
        <button class="primary">Search</button>
      </form>
      <Wrong error={error} again={again} />
      <div class="status">
        <span class="chips" role="group" aria-label="States">
          {["any", ...Object.keys(data?.states ?? {})].map((s) => (
            <button type="button" key={s} class="chip" aria-pressed={s === state} onClick={() => set({ state: s === "any" ? undefined : s, m: undefined })}>
              {s === "any" ? "all" : <>{lookOf(s).shape} {s} {number(data!.states[s])}</>}
            </button>
          ))}
        </span>
        <span class="grow" />
        <span class="note" role="status">{data ? `${number(data.total)} match${data.total > rows.length ? `, those tried last: ${number(rows.length)}` : ""}` : "Loading…"}</span>
        <button type="button" onClick={again}>Reload</button>
      </div>
      <div class={`split${row ? " open" : ""}`}>
        <Table rows={rows} columns={aorColumns(zone, (ip, port) => aliases.name(ip, port)).filter((c) => !phone || c.phone)} id={(r) => r.aor} label="Addresses of record" total={data?.total}
          chosen={chosen} choose={(i) => set({ m: rows[i].aor }, true)} open={(i) => set({ m: rows[i].aor }, true)}
          empty={!busy && !error && <div class="nothing"><p>No address of record matches.</p><p class="note">Those of what came by the network since the start are here; imports are under Attempts.</p></div>} />
        {row && <aside><AorPanel row={row} zone={zone} close={() => set({ m: undefined }, true)} /></aside>}
      </div>
    </>
  );
}

function AorPanel({ row, zone, close }: { row: Aor; zone: string; close: () => void }) {
  const time = (ts?: string) => (ts ? wall(micros(ts), zone).slice(0, 19) : "");
  const user = row.aor.replace(/@.*/, "");
  const attempts = useAsk(`attempts ${row.aor}`, (signal) => ask<SearchAnswer>("api/v1/registrations/attempts", { q: `to:${quote(user)}`, limit: 50 }, signal));
  return (
    <section class="message" aria-label="Address of record">
      <header><h2><Text text={row.aor} /></h2><div class="buttons"><button type="button" class="icon" aria-label="Close" onClick={close}>✕</button></div></header>
      <div class="panel" tabIndex={0} role="region" aria-label="Of this address">
        <Facts list={[
          ["state", <State state={row.state ?? ""} />], ["since", time(row.since)], ["last response", outcome(row)], ["last success", time(row.last_success)],
          ["attempts", `${number(row.attempts)}, ${number(row.failed)} failed${row.failed_in_a_row ? `, the last ${row.failed_in_a_row} in a row` : ""}`], ["changes", String(row.changes)],
          ["program", row.user_agent ?? ""],
        ]} />
        <h3>Bindings</h3>
        {row.bindings.length === 0 ? <p class="note">none</p> : row.bindings.map((b) => (
          <Facts key={b.contact} list={[["contact", b.contact], [b.holds ? "until" : "ended", time(b.expires_at)], ["from", place(b.src_ip, b.src_port)], ["program", b.user_agent ?? ""]]} />
        ))}
        <h3>Attempts</h3>
        <Wrong error={attempts.error} again={attempts.again} />
        <ul class="plain-list">
          {attempts.data?.rows.map((a) => (
            <li key={`${a.seq} ${a.ts}`}>
              <time class="mono">{time(a.ts)}</time> <State state={a.state ?? ""} /> {a.call_id ? <a href={href("call", { id: a.call_id })}><Text text={outcome(a) || "ladder"} /></a> : <Text text={outcome(a)} />}
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

const ATTEMPTS: ResultKind = {
  page: "registrations", path: "api/v1/registrations/attempts", of: "registrations", title: "Attempts to register", one: "attempt",
  ask: "ts,seq,call_id,src_ip,src_port,dst_ip,dst_port,proto,from_user,from_host,to_user,to_host,contact,user_agent,auth_user,status,reason,expires,expires_asked,state,binding,auth_rounds,answer_ms,messages,retransmissions",
  by: "state", colour: stateColour, preset: ["time", "state", "to", "status", "binding", "expires", "answer", "source", "agent"], chosen: "registrationColumns",
  placeholder: "to:1001 state:refused ua:*Yealink*     (empty: every attempt)",
  columns: (zone, days, alias) => [
    timeColumn(zone, days),
    { key: "state", title: "State", width: "136px", phone: true, sort: (r) => r.state, cell: (r) => <State state={r.state ?? ""} /> },
    textColumn("to", "Address of record", "minmax(130px, 1.4fr)", (r) => party(r.to_user, r.to_host), { phone: true }),
    textColumn("status", "Response", "minmax(100px, 1fr)", (r) => outcome(r), { phone: true }),
    textColumn("binding", "Wants", "80px", (r) => r.binding as string | undefined),
    numberColumn("expires", "Expires", "80px", (r) => r.expires, (n) => `${n} s`),
    numberColumn("answer", "Answer", "80px", (r) => r.answer_ms as number | undefined, spanMs),
    numberColumn("rounds", "Challenges", "90px", (r) => r.auth_rounds as number | undefined),
    ...endColumns(alias),
    textColumn("contact", "Contact", "minmax(120px, 1.2fr)", (r) => r.contact as string | undefined),
    textColumn("user", "Credentials of", "110px", (r) => r.auth_user as string | undefined),
    textColumn("agent", "Program", "minmax(110px, 1.2fr)", (r) => r.user_agent),
    textColumn("call", "Call-ID", "minmax(120px, 1.2fr)", (r) => r.call_id, { class: "dim" }),
  ],
};

function Attempts({ params: p }: { params: Readonly<Record<string, string>> }) {
  return (
    <Results kind={ATTEMPTS} params={{ ...p, view: "attempts" }} open={openCallOf}
      beside={(row, panel) => (
        <section class="message" aria-label="Attempt">
          <header>
            <h2><Text text={party(row.to_user, row.to_host)} /></h2>
            <div class="buttons">
              {row.call_id && <a class="button primary small" href={href("call", { id: row.call_id })}>Ladder</a>}
              <button type="button" class="icon" aria-label="Close" onClick={panel.close}>✕</button>
            </div>
          </header>
          <div class="panel" tabIndex={0} role="region" aria-label="Of this attempt">
            <Facts list={Object.entries(row).filter(([k]) => k !== "table" && k !== "flags").map(([k, v]) => [k.replace(/_/g, " "), String(v)])} />
          </div>
        </section>
      )} />
  );
}
