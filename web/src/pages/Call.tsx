// One call: its ladder, and a message beside it.

import { useEffect, useMemo, useState } from "preact/hooks";

import { address, ask } from "../lib/api";
import { rememberedCalls } from "../lib/calls";
import { codecs, counterpart, layout, svg, type Grouping } from "../lib/ladder";
import { useAliases, usePref } from "../lib/prefs";
import { png, save } from "../lib/save";
import { number, party, plural, span, title } from "../lib/text";
import { micros, wall } from "../lib/time";
import type { FlowAnswer, Row } from "../lib/types";
import { go, href } from "../lib/url";
import { Copy, Dialog, Menu, Text, useAsk, useKeys, usePhone, Wrong } from "../ui/bits";
import { DiffView } from "../ui/DiffView";
import { Findings } from "../ui/Findings";
import { LadderView } from "../ui/LadderView";
import { MessagePanel } from "../ui/MessagePanel";
import { rowId } from "../ui/Results";
import type { PageProps } from "./page";

const FLOW = "ts,seq,src_ip,src_port,dst_ip,dst_port,proto,method,status,reason,cseq,from_user,from_host,from_tag,to_user,to_host,to_tag," +
  "ruri_user,call_id,correlation_id,kind,payload_len,parse_error,branch,flags,sdp_media,capture_id,sender,user_agent,q850_cause," +
  "mos,loss,jitter_ms,rtt_ms,heard_by,ssrc,report,seconds,codec";

const MOST = 20000; // messages of a call on the page

const KINDS: [string, string][] = [["sip", "SIP"], ["media", "RTCP"], ["log", "Log"], ["other", "Other"]];

const list = (text?: string): string[] => (text ? text.split("|") : []);

export function Call({ place }: PageProps) {
  const p = place.params;
  const id = p.id ?? "";
  const phone = usePhone();
  const [zone] = usePref("zone");
  const [grouping, setGrouping] = usePref("grouping");
  const [clock, setClock] = usePref("clock");
  const aliases = useAliases();
  const flow = useAsk(id, (signal) => ask<FlowAnswer>("api/v1/flow", { call_id: id, legs: 1, media: 1, limit: MOST, columns: `${FLOW},payload`, payload: "log" }, signal));
  const [help, setHelp] = useState(false);
  const [marked, setMarked] = useState<Row | null>(null);
  const [comparing, setComparing] = useState<[Row, Row] | null>(null);

  const [rows, reports] = useMemo(() => {
    const all = flow.data?.rows ?? [];
    return [all.filter((r) => r.table !== "quality"), all.filter((r) => r.table === "quality")];
  }, [flow.data]);
  const order = list(p.order);
  const hidden = useMemo(() => new Set(list(p.hide)), [p.hide]);
  const without = useMemo(() => new Set(list(p.without)), [p.without]);
  const text = (p.find ?? "").toLowerCase();

  const ladder = useMemo(() => layout(rows, {
    grouping: grouping as Grouping, order, hidden, reports, alias: (ip, port) => aliases.name(ip, port),
    keep: (r) => !without.has(r.table) && !(r.method && without.has(r.method)) &&
      (text === "" || `${title(r)} ${r.method ?? ""} ${r.src_ip} ${r.dst_ip} ${r.from_user ?? ""} ${r.to_user ?? ""} ${r.payload ?? ""}`.toLowerCase().includes(text)),
  }), [flow.data, grouping, p.order, hidden, without, text, aliases]);

  const steps = ladder.steps;
  const chosen = useMemo(() => steps.findIndex((s) => rowId(s.row) === p.m), [steps, p.m]);
  const set = (change: Record<string, string | undefined>) => go("call", { ...p, ...change }, true);
  const choose = (i: number) => steps[i] && set({ m: rowId(steps[i].row) });
  const compare = () => {
    const here = steps[chosen]?.row;
    if (!here) return;
    const with_ = marked && marked.seq !== here.seq ? marked : steps[counterpart(steps, chosen)]?.row;
    if (with_ && with_ !== here) setComparing(micros(with_.ts) <= micros(here.ts) ? [with_, here] : [here, with_]);
  };

  useEffect(() => {
    document.title = id ? `${id} · hepcat` : "hepcat";
    return () => void (document.title = "hepcat");
  }, [id]);

  const siblings = rememberedCalls();
  const step = (by: number) => {
    const next = siblings[siblings.indexOf(id) + by];
    if (siblings.includes(id) && next) go("call", { id: next });
  };

  useKeys((key, event) => {
    // In the message these scroll.
    if (/^(Arrow|Page|Home|End)/.test(key) && (event.target as Element).closest("aside")) return false;
    const to = (i: number) => choose(Math.min(Math.max(i, 0), steps.length - 1));
    const actions: Record<string, () => void> = {
      j: () => to(chosen + 1), ArrowDown: () => to(chosen + 1), k: () => to(chosen - 1), ArrowUp: () => to(chosen - 1),
      Home: () => to(0), End: () => to(steps.length - 1), PageDown: () => to(chosen + 15), PageUp: () => to(chosen - 15),
      Enter: () => (chosen < 0 ? to(0) : document.getElementById("tab-panel")?.focus()),
      n: () => step(1), p: () => step(-1),
      d: compare, m: () => setMarked(steps[chosen]?.row ?? null), "?": () => setHelp(true),
      "/": () => document.getElementById("find")?.focus(),
      Escape: () => (marked ? setMarked(null) : p.m ? set({ m: undefined }) : history.back()),
    };
    if (!actions[key]) return false;
    actions[key]();
    return true;
  });

  const methods = useMemo(() => [...new Set(rows.flatMap((r) => (r.table === "sip" && r.method ? [r.method] : [])))], [flow.data]);
  const kinds = KINDS.filter(([k]) => rows.some((r) => r.table === k));
  const toggle = (key: string) => {
    const next = new Set(without);
    if (!next.delete(key)) next.add(key);
    set({ without: [...next].join("|") });
  };
  const file = (format: string) => address("api/v1/export", { call_id: id, legs: 1, format });
  const picture = async (kind: "svg" | "png") => {
    const made = svg(ladder, zone);
    if (kind === "svg") return save("ladder.svg", made.text, "image/svg+xml");
    const blob = await png(made);
    if (blob) save("ladder.png", blob);
  };
  const row = chosen >= 0 ? steps[chosen].row : undefined;
  const markedStep = marked ? steps.findIndex((s) => s.row.seq === marked.seq) : -1;

  return (
    <div class="page call-page">
      <CallHead id={id} rows={rows} zone={zone}>
        <Menu label="Export">
          <a href={file("pcapng")} download>pcapng</a>
          <a href={file("pcap")} download>pcap</a>
          <a href={file("text")} download>text</a>
          <a href={file("jsonl")} download>JSON lines</a>
          <button type="button" onClick={() => void picture("svg")}>ladder as SVG</button>
          <button type="button" onClick={() => void picture("png")}>ladder as PNG</button>
        </Menu>
        <Copy text={location.href} label="Copy link" />
        <button type="button" class="icon" aria-label="Keys" title="Keys (?)" onClick={() => setHelp(true)}>?</button>
      </CallHead>
      <Wrong error={flow.error} again={flow.again} />
      <Findings id={id} jump={(at) => set({ m: rowId(at) })} />
      <div class="status tools">
        <input id="find" type="search" aria-label="Find in the ladder" placeholder="Find  /" value={p.find ?? ""} onInput={(e) => set({ find: e.currentTarget.value })}
          onKeyDown={(e) => e.key === "Escape" && e.currentTarget.blur()} />
        {kinds.length > 1 && <span class="chips" role="group" aria-label="Kinds">
          {kinds.map(([k, name]) => <button type="button" key={k} class="chip" aria-pressed={!without.has(k)} onClick={() => toggle(k)}>{name}</button>)}
        </span>}
        {methods.length > 1 && <span class="chips" role="group" aria-label="Methods">
          {methods.map((m) => <button type="button" key={m} class="chip" aria-pressed={!without.has(m)} onClick={() => toggle(m)}>{m}</button>)}
        </span>}
        {ladder.hidden.map((l) => (
          <button type="button" key={l.id} class="chip hidden-lane" title="Show again" onClick={() => set({ hide: [...hidden].filter((h) => h !== l.id).join("|") })}><s><Text text={l.label} /></s> ↩</button>
        ))}
        <span class="grow" />
        <span class="note" role="status">{flow.busy && !flow.data ? "Loading…" : steps.length === rows.length ? plural(rows.length, "message") : `${number(steps.length)} of ${plural(rows.length, "message")}`}
          {flow.data?.next ? ", and more" : ""}{flow.data?.problem ? `; not all: ${flow.data.problem}` : ""}</span>
        <label class="inline">Lanes <select value={grouping} onChange={(e) => setGrouping(e.currentTarget.value)}>
          <option value="port">by address and port</option><option value="ip">by address</option><option value="alias">by alias</option>
        </select></label>
        <button type="button" class="small" onClick={() => setClock(clock === "relative" ? "absolute" : "relative")}>{clock === "relative" ? "Clock time" : "Since start"}</button>
        <button type="button" class="small" disabled={chosen < 0} title="Compare with the one that is marked (m), or its counterpart (d)" onClick={compare}>Compare</button>
      </div>
      <div class={`split ladder-split${row ? " open" : ""}`}>
        {flow.data && rows.length === 0
          ? <div class="nothing"><p>No message has this Call-ID.</p></div>
          : <LadderView ladder={ladder} chosen={chosen} marked={markedStep} choose={choose} open={() => document.getElementById("tab-panel")?.focus()}
              setOrder={(o) => set({ order: o.join("|") })} hide={(l) => set({ hide: [...hidden, l.id].join("|") })} zone={zone} relative={clock === "relative"} compact={phone} />}
        {row && <aside><MessagePanel row={row} close={() => set({ m: undefined })}
          previous={chosen > 0 ? () => choose(chosen - 1) : undefined} next={chosen < steps.length - 1 ? () => choose(chosen + 1) : undefined} /></aside>}
      </div>
      {comparing && <DiffView left={comparing[0]} right={comparing[1]} close={() => setComparing(null)} />}
      {help && <KeysHelp close={() => setHelp(false)} />}
    </div>
  );
}

function CallHead({ id, rows, zone, children }: { id: string; rows: Row[]; zone: string; children: preact.ComponentChildren }) {
  const first = rows.find((r) => r.method === "INVITE" && r.status === undefined) ?? rows.find((r) => r.table === "sip") ?? rows[0];
  const final = [...rows].reverse().find((r) => r.method === first?.method && (r.status ?? 0) >= 200);
  const length = rows.length > 1 ? micros(rows[rows.length - 1].ts) - micros(rows[0].ts) : 0;
  const answer = rows.find((r) => r.status !== undefined && r.status < 300 && r.sdp_media);
  return (
    <header class="call-head">
      <div class="who">
        <h1>{first ? <><Text text={party(first.from_user, first.from_host)} /> <span aria-hidden="true">→</span><span class="sr">to</span> <Text text={party(first.to_user, first.to_host)} /></> : "Call"}</h1>
        <p class="note">
          {first && <>{wall(micros(rows[0].ts), zone).slice(0, 19)} · {span(length)} · </>}
          {final && <><span class={`what s${String(final.status)[0]}`}><Text text={title(final)} /></span> · </>}
          {answer && codecs(answer.sdp_media) && <>{codecs(answer.sdp_media)} · </>}
          <span class="mono"><Text text={id} /></span> <Copy text={id} label="copy" />
        </p>
      </div>
      <div class="buttons"><a class="button small" href={href("messages", { q: `callid:"${id.replace(/["\\*]/g, "\\$&")}"`, from: "all" })}>Messages</a>{children}</div>
    </header>
  );
}

const KEYS: [string, string][] = [
  ["j  k  ↓  ↑", "next, previous message"], ["Home  End", "first, last message"], ["Enter", "into the message"], ["n  p", "next, previous call of the list"],
  ["/", "find in the ladder"], ["m", "mark a message to compare with"], ["d", "compare: with the marked one, else with its counterpart"],
  ["Shift ←  Shift →", "move the lane that has the focus"], ["Esc", "close, back"], ["?", "this list"],
];

export function KeysHelp({ close }: { close: () => void }) {
  return (
    <Dialog title="Keys" close={close}>
      <table class="plain-table keys"><tbody>{KEYS.map(([k, what]) => <tr key={k}><th scope="row"><kbd>{k}</kbd></th><td>{what}</td></tr>)}</tbody></table>
    </Dialog>
  );
}
