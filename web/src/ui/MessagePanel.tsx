// One message: as it was on the wire, its headers, its SDP, and what the capture agent said of it.

import { useState } from "preact/hooks";

import { address, ask } from "../lib/api";
import { usePref } from "../lib/prefs";
import { hexdump, jwt, paint } from "../lib/sip";
import { octets, place, span, title, tone } from "../lib/text";
import { micros, offsetText, wall } from "../lib/time";
import type { Message, Row, SdpMedia, SipHeader } from "../lib/types";
import { Copy, Facts, Text, useAsk, Wrong } from "./bits";
import { Tabs } from "./Tabs";

const TABS = ["Raw", "Headers", "SDP", "Capture"] as const;
type Tab = (typeof TABS)[number];

export const loadMessage = (row: { seq: number; ts: string }, signal?: AbortSignal): Promise<Message> =>
  ask<Message>("api/v1/message", { seq: row.seq, ts: row.ts }, signal);

export function payloadText(m: Message): string {
  return m.payload_encoding === "base64" ? hexdump(m.payload ?? "", 65536) : (m.payload ?? "");
}

interface Props {
  row: { seq: number; ts: string };
  close?: () => void;
  previous?: () => void;
  next?: () => void;
  extra?: preact.ComponentChildren;
}

export function MessagePanel({ row, close, previous, next, extra }: Props) {
  const [zone] = usePref("zone");
  const [tab, setTab] = useState<Tab>("Raw");
  const { data: m, error, again } = useAsk(`${row.seq} ${row.ts}`, (signal) => loadMessage(row, signal));
  const sdp = m?.sip?.sdp;
  const tabs = TABS.filter((t) => (t === "SDP" ? sdp : t === "Headers" ? m?.sip : true));
  const shown = tabs.includes(tab) ? tab : "Raw";
  return (
    <section class="message" aria-label="Message">
      <header>
        <h2>{m ? <span class={`what ${tone(m)}`}><Text text={title(m)} /></span> : "…"}</h2>
        <div class="buttons">
          {extra}
          {previous && <button type="button" class="icon" aria-label="Previous message" title="Previous message (k)" onClick={previous}>↑</button>}
          {next && <button type="button" class="icon" aria-label="Next message" title="Next message (j)" onClick={next}>↓</button>}
          {close && <button type="button" class="icon" aria-label="Close the message" title="Close (Esc)" onClick={close}>✕</button>}
        </div>
      </header>
      {m && <p class="route">
        <time>{wall(micros(m.ts), zone)}</time> {offsetText(micros(m.ts) / 1000, zone)} · <Text text={place(m.src_ip, m.src_port)} /> → <Text text={place(m.dst_ip, m.dst_port)} />{m.proto ? ` · ${m.proto.toUpperCase()}` : ""}
      </p>}
      {m?.parse_error && <p class="warn">Malformed: <Text text={m.parse_error.replace(/,/g, ", ")} /></p>}
      <Wrong error={error} again={again} />
      <div class="tabs-bar">
        <Tabs label="Views of the message" tabs={tabs.map((t) => [t, t])} chosen={shown} choose={(t) => setTab(t as Tab)} prefix="tab" controls="tab-panel" />
        <span class="grow" />
        {m && <Copy text={payloadText(m)} />}
        {m && <a class="button small" href={address("api/v1/message", { seq: m.seq, ts: m.ts, raw: 1 })} download={`message-${m.seq}.txt`}>Octets</a>}
      </div>
      <div id="tab-panel" class="panel" role="tabpanel" aria-labelledby={`tab-${shown}`} tabIndex={0}>
        {m && shown === "Raw" && <Raw m={m} />}
        {m?.sip && shown === "Headers" && <Headers sip={m.sip} />}
        {sdp && shown === "SDP" && <SdpView sdp={sdp} />}
        {m && shown === "Capture" && <Capture m={m} zone={zone} />}
      </div>
    </section>
  );
}

const LINES = 1500; // shown at first; a message of 64 kB of short lines is still painted at once
const LINE = 4000; // characters of one line shown at first

function Raw({ m }: { m: Message }) {
  const [all, setAll] = useState(false);
  if (m.payload_encoding === "base64")
    return <pre class="raw">{m.rtcp ? JSON.stringify(m.rtcp, null, 2) : hexdump(m.payload ?? "")}</pre>;
  const lines = paint(m.payload ?? "", m.table === "sip");
  const cut = !all && (lines.length > LINES || lines.some((l) => l.parts.some((p) => p.text.length > LINE)));
  const shown = cut ? lines.slice(0, LINES) : lines;
  return (
    <>
      <pre class="raw">
        {shown.map((line, i) => (
          <span key={i} class="line">
            {line.parts.map((p, n) => <span key={n} class={`p-${p.paint}`}><Text text={cut ? p.text.slice(0, LINE) : p.text} /></span>)}
            {cut && line.parts.some((p) => p.text.length > LINE) && <span class="note"> … {octets(Math.max(...line.parts.map((p) => p.text.length)))}</span>}
            {"\n"}
          </span>
        ))}
      </pre>
      {cut && <button type="button" onClick={() => setAll(true)}>Show all {octets(m.payload_len ?? 0)}</button>}
      {m.rtcp !== undefined && <pre class="raw">{JSON.stringify(m.rtcp, null, 2)}</pre>}
    </>
  );
}

function Headers({ sip }: { sip: NonNullable<Message["sip"]> }) {
  return (
    <>
      {sip.start_line !== undefined && <p class="start-line"><Text text={sip.start_line} /></p>}
      <ul class="tree">{sip.headers.map((h, i) => <li key={i}><HeaderLine header={h} /></li>)}</ul>
      {sip.further_headers ? <p class="note">and {sip.further_headers} more</p> : null}
    </>
  );
}

const leaf = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value));

function HeaderLine({ header }: { header: SipHeader }) {
  const parts = [...(header.vias ?? []), ...(header.addresses ?? [])];
  const token = header.header === "Identity" || header.name?.toLowerCase() === "identity" ? jwt(header.value) : null;
  const line = <><b>{header.name ?? ""}{header.header && header.name && header.header.toLowerCase() !== header.name.toLowerCase() ? ` (${header.header})` : ""}</b> <Text text={header.value.slice(0, LINE)} /></>;
  if (parts.length === 0 && !token) return <div class={header.bad ? "bad" : ""}>{line}</div>;
  return (
    <details>
      <summary>{line}</summary>
      {token && <Facts list={[["header", <pre>{JSON.stringify(token.header, null, 2)}</pre>], ["claims", <pre>{JSON.stringify(token.claims, null, 2)}</pre>], ["signature", "not verified"]]} />}
      {parts.map((part, i) => <Facts key={i} list={Object.entries(part).map(([k, v]) => [k.replace(/_/g, " "), leaf(v)])} />)}
    </details>
  );
}

function SdpView({ sdp }: { sdp: NonNullable<NonNullable<Message["sip"]>["sdp"]> }) {
  return (
    <>
      <Facts list={[["origin", [sdp.user, sdp.session_id, sdp.session_version, sdp.origin].filter(Boolean).join(" ")], ["address", sdp.host ?? ""], ["direction", sdp.direction ?? ""]]} />
      {sdp.media.map((m, i) => <MediaTable key={i} m={m} />)}
    </>
  );
}

function MediaTable({ m }: { m: SdpMedia }) {
  const how = [m.protocol, m.direction, m.ptime && `ptime ${m.ptime} ms`, m.suite && `SRTP ${m.suite}`, !m.suite && m.crypto && "SRTP",
    m.fingerprint && "DTLS", m.ice && "ICE", m.rtcp_port && `RTCP ${m.rtcp_port}`].filter(Boolean).join(" · ");
  return (
    <table class="plain-table">
      <caption><Text text={`${m.kind ?? "media"} ${place(m.host, m.port)}${m.port === 0 ? " (refused)" : ""}`} /> <span class="note"><Text text={how} /></span></caption>
      <thead><tr><th>Format</th><th>Codec</th><th>Clock</th><th>Parameters</th></tr></thead>
      <tbody>
        {m.formats.map((f) => (
          <tr key={f.format}>
            <td><Text text={f.format} /></td><td><Text text={f.codec ?? ""} />{f.channels && f.channels > 1 ? `/${f.channels}` : ""}</td>
            <td>{f.clock_rate ? `${f.clock_rate} Hz` : ""}</td><td><Text text={f.fmtp ?? ""} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Capture({ m, zone }: { m: Row; zone: string }) {
  const time = (ts?: string) => (ts === undefined ? "" : `${wall(micros(ts), zone)} ${offsetText(micros(ts) / 1000, zone)}`);
  const late = m.received ? micros(m.received) - micros(m.ts) : 0;
  return (
    <Facts list={[
      ["on the wire", time(m.ts)], ["capture time as sent", time(m.ts_sent)], ["received", time(m.received)],
      ["between them", m.source === "import" ? "imported" : span(late)],
      ["sender of HEP", m.sender ?? ""], ["transport", m.transport ?? ""], ["HEP version", m.hep_version === 0 ? "heplify protobuf" : String(m.hep_version ?? "")],
      ["capture id", m.capture_id === undefined ? "" : String(m.capture_id)], ["node", m.node ?? ""],
      ["payload type", String(m.payload_type ?? "")], ["correlation id", m.correlation_id ?? ""], ["VLAN", m.vlan === undefined ? "" : String(m.vlan)],
      ["length", m.payload_len === undefined ? "" : octets(m.payload_len)], ["flags", (m.flags ?? []).join(", ")],
      ["Call-ID", m.call_id ?? ""], ["program", m.user_agent ?? ""], ["number", String(m.seq)],
    ]} />
  );
}
