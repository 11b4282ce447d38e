// Who sends, what of it was dropped and why; and what to do if nothing comes.

import { useEffect, useRef, useState } from "preact/hooks";

import { ask, health } from "../lib/api";
import { usePref } from "../lib/prefs";
import { number, octets, span } from "../lib/text";
import { micros, wall } from "../lib/time";
import type { Health, Sender } from "../lib/types";
import { href } from "../lib/url";
import { Copy, Text, useAsk, Wrong } from "../ui/bits";
import { SNIPPETS } from "./snippets";

const DROPS: Record<string, string> = {
  magic: "not HEP: does something else send to this port?", short: "ends inside a header", total_length: "impossible total length", truncated: "cut short",
  empty: "a header without any chunk", chunk_header: "ends inside a chunk header", chunk_length: "impossible chunk length",
  chunk_overrun: "a chunk runs past the end", family: "unknown address family", no_payload: "version 1 or 2 without payload",
  quirk: "a deviation that is not tolerated", bad_protobuf: "malformed protobuf form", inflate: "gzip around it cannot be opened",
  oversize: "inflates beyond the limit", no_memory: "no memory to decode it", not_allowed: "the sender's address is not in hep.allow",
  key_missing: "no authentication key, and hep.keys is set", key_wrong: "its key is none of hep.keys", rate: "over the sender's rate (hep.sender_rate)",
  share: "over the sender's share while storage is pressed", memory: "no room: storage does not keep up", refused: "storage cannot take such a message",
};

const EVERY_MS = 3000;
const SILENT_US = 60e6;

interface State {
  senders: Sender[];
  total: number;
  health: Health;
  at: number;
}

export function Senders() {
  const [tick, setTick] = useState(0);
  const { data, error, again } = useAsk<State>(`senders ${tick}`, async (signal) => {
    const [list, state] = await Promise.all([ask<{ senders: Sender[]; total: number }>("api/v1/senders", {}, signal), health<Health>(signal)]);
    return { ...list, health: state, at: Date.now() };
  });
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && setTick((t) => t + 1), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const before = useRef<State | null>(null);
  const now = useRef<State | null>(null);
  if (data && data !== now.current) {
    before.current = now.current;
    now.current = data;
  }
  return (
    <div class="page scroll">
      <h1>Senders</h1>
      <Wrong error={error} again={again} />
      {data?.health.reasons?.map((r) => <p key={r.code} class={r.level === "failing" ? "warn bad" : "warn"}><b>{r.code}</b> {r.text}</p>)}
      {data && (data.senders.length === 0
        ? <p class="lead">Nobody has sent HEP to this server since it started. The steps below lead to the first message.</p>
        : <List state={data} before={before.current} />)}
      {data && <Why senders={data.senders} health={data.health} />}
      <Snippets />
    </div>
  );
}

const key = (s: Sender) => `${s.ip} ${s.transport}`;

function List({ state, before }: { state: State; before: State | null }) {
  const [zone] = usePref("zone");
  const was = new Map(before?.senders.map((s) => [key(s), s]));
  const seconds = before ? (state.at - before.at) / 1000 : 0;
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="Senders">
      <table class="plain-table">
        <thead><tr><th>Address</th><th>Node</th><th>Last seen</th><th class="right">A second</th><th class="right">Received</th><th class="right">Stored</th><th class="right">Malformed</th><th>Clock</th><th>Dropped</th></tr></thead>
        <tbody>
          {state.senders.map((s) => {
            const silent = state.at * 1000 - micros(s.last_seen);
            const old = was.get(key(s));
            const rate = old && seconds > 0 ? (s.counters.received - old.counters.received) / seconds : null;
            const skew = s.clock_skew_us;
            const dropped = Object.entries(s.dropped);
            return (
              <tr key={key(s)}>
                <td><Text text={s.ip} /> <span class="note">{s.transport.toUpperCase()}{s.counters.version_1 ? " HEP1" : ""}{s.counters.version_2 ? " HEP2" : ""}{s.counters.version_3 ? " HEP3" : ""}{s.counters.protobuf ? " protobuf" : ""}</span></td>
                <td><Text text={[s.node, s.capture_id].filter((x) => x !== undefined).join(" · ")} /></td>
                <td title={wall(micros(s.last_seen), zone)}><span class={`light ${silent > SILENT_US ? "off" : "on"}`} aria-hidden="true" /> {silent < 2e6 ? "now" : `${span(silent)} ago`}</td>
                <td class="right">{rate === null ? "" : number(Math.round(rate * 10) / 10)}</td>
                <td class="right" title={octets(s.counters.octets ?? 0)}>{number(s.counters.received ?? 0)}</td>
                <td class="right">{number(s.counters.stored ?? 0)}</td>
                <td class="right">{s.counters.parse_errors ? <a href={href("messages", { q: `error:* sender:"${s.ip}"`, from: "all" })}>{number(s.counters.parse_errors)}</a> : 0}</td>
                <td title={skew ? `between ${span(skew.min)} and ${span(skew.max)}, ${span(skew.mean)} on average` : ""} class={skew && Math.abs(skew.last) > 5e6 ? "bad" : ""}>{skew ? span(skew.last) : ""}</td>
                <td>{dropped.length === 0 ? <span class="note">none</span> : <ul class="drops">{dropped.map(([k, n]) => <li key={k}><b>{number(n)}</b> {DROPS[k] ?? k}</li>)}</ul>}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {state.total > state.senders.length && <p class="note">{number(state.total - state.senders.length)} more</p>}
    </div>
  );
}

/** What the state of the server says about an empty page, the likeliest cause first. */
function causes(senders: Sender[], state: Health): [string, string][] {
  const out: [string, string][] = [];
  const sum = (name: string) => senders.reduce((n, s) => n + (s.dropped[name] ?? 0), 0);
  const stored = senders.reduce((n, s) => n + (s.counters.stored ?? 0), 0);
  if (senders.length === 0) {
    out.push(["No packet has reached the port.", "Is the sender's address of this server right, and UDP or TCP port 9060 open on the way? On this machine, tcpdump -ni any port 9060 shows whether anything arrives."]);
    out.push(["The server may listen on another address or port.", "Its log says where: \"listening on ...\". hep.listen and --listen change it."]);
    out.push(["Senders are often set up, but off.", "Kamailio: trace_on 1 and sip_trace() or trace_mode 1. FreeSWITCH: sofia profile internal capture on. Asterisk: enabled = yes, and res_hep_pjsip loaded."]);
  }
  if (sum("not_allowed")) out.push(["Senders are refused by address.", "Add their network to hep.allow."]);
  if (sum("key_missing") + sum("key_wrong")) out.push(["Senders are refused by key.", "Their key must be one of hep.keys (chunk 0x000e). HEP versions 1 and 2 carry none."]);
  if (sum("magic")) out.push(["What arrives is not HEP.", "A sender mirrors SIP without HEP, or uses TLS on a plain port."]);
  if (sum("rate") + sum("share") + sum("memory")) out.push(["More arrives than is taken.", "See the reasons in the list above, and /health."]);
  if (stored > 0) out.push(["Messages are stored, but a page shows none.", "Look at the time range first: it may lie before or after them. A sender with a wrong clock shows in the column Clock."]);
  if (state.status !== "ok") out.push(["The server is not well.", "The reasons stand at the top of this page."]);
  return out;
}

function Why({ senders, health: state }: { senders: Sender[]; health: Health }) {
  const found = causes(senders, state);
  return (
    <section>
      <h2>Why do I see nothing?</h2>
      <ol class="causes">{found.map(([what, do_]) => <li key={what}><b>{what}</b> {do_}</li>)}</ol>
      <p>Traffic to try with: <code>hepcat demo --to udp://{location.hostname || "127.0.0.1"}:9060</code>, or <a href={href("import")}>import a capture</a>.</p>
    </section>
  );
}

function Snippets() {
  const [host, setHost] = useState(/^[a-zA-Z0-9.-]+$/.test(location.hostname) && !/^(localhost|127\.)/.test(location.hostname) ? location.hostname : "collector");
  const [open, setOpen] = useState(SNIPPETS[0].name);
  const one = SNIPPETS.find((s) => s.name === open) ?? SNIPPETS[0];
  const text = one.text.replace(/collector/g, host || "collector");
  return (
    <section>
      <h2>Point a sender at this server</h2>
      <p><label class="inline">Address of this server <input value={host} spellcheck={false} onInput={(e) => setHost(e.currentTarget.value.replace(/[^a-zA-Z0-9.:[\]-]/g, ""))} /></label></p>
      <div class="chips" role="group" aria-label="Programs">
        {SNIPPETS.map((s) => <button type="button" key={s.name} class="chip" aria-pressed={s.name === open} onClick={() => setOpen(s.name)}>{s.name}</button>)}
      </div>
      <div class="snippet">
        <p class="note">{one.where} <Copy text={text} /></p>
        <pre tabIndex={0}>{text}</pre>
      </div>
    </section>
  );
}
