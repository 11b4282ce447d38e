// One call: what went wrong, its ladder over all legs, how it sounded; a message beside it.

import { useEffect, useMemo, useState } from "preact/hooks";

import { ask } from "../lib/api";
import { rememberedCalls } from "../lib/calls";
import { counterpart, layout, type Grouping, type Ladder, type Step } from "../lib/ladder";
import { usePref } from "../lib/prefs";
import { useAliases } from "../lib/shared";
import { title } from "../lib/text";
import { micros } from "../lib/time";
import type { FlowAnswer, Row } from "../lib/types";
import { go } from "../lib/url";
import { Copy, useAsk, useKeys, usePhone, Wrong } from "../ui/bits";
import { CallExport, CallHead } from "../ui/CallHead";
import { DiffView } from "../ui/DiffView";
import { Findings } from "../ui/Findings";
import { KeysHelp } from "../ui/KeysHelp";
import { LadderTools, legKey } from "../ui/LadderTools";
import { LadderView } from "../ui/LadderView";
import { Legs } from "../ui/Legs";
import { MediaView } from "../ui/MediaView";
import { MessagePanel } from "../ui/MessagePanel";
import { rowId } from "../ui/Results";
import { Tabs } from "../ui/Tabs";
import type { PageProps } from "./page";

const FLOW = "ts,seq,src_ip,src_port,dst_ip,dst_port,proto,method,status,reason,cseq,from_user,from_host,from_tag,to_user,to_host,to_tag," +
  "ruri_user,call_id,correlation_id,kind,payload_len,parse_error,branch,flags,sdp_media,capture_id,sender,user_agent,q850_cause," +
  "mos,loss,jitter_ms,rtt_ms,heard_by,ssrc,report,seconds,codec";

const MOST = 20000; // messages of a call on the page

const list = (text?: string): string[] => (text ? text.split("|") : []);

/** Messages of the call with all its legs, and the reports on its media. */
function useFlow(id: string) {
  const flow = useAsk(id, (signal) => ask<FlowAnswer>("api/v1/flow", { call_id: id, legs: 1, media: 1, limit: MOST, columns: `${FLOW},payload`, payload: "log" }, signal));
  const [rows, reports] = useMemo(() => {
    const all = flow.data?.rows ?? [];
    return [all.filter((r) => r.table !== "quality"), all.filter((r) => r.table === "quality")];
  }, [flow.data]);
  return { flow, rows, reports };
}

const contains = (r: Row, text: string): boolean =>
  `${title(r)} ${r.method ?? ""} ${r.src_ip} ${r.dst_ip} ${r.from_user ?? ""} ${r.to_user ?? ""} ${r.payload ?? ""}`.toLowerCase().includes(text);

/** The ladder that the address asks for. */
function useLadder(rows: Row[], reports: Row[], p: Readonly<Record<string, string>>, without: ReadonlySet<string>): Ladder {
  const [grouping] = usePref("grouping");
  const aliases = useAliases();
  return useMemo(() => {
    const text = (p.find ?? "").toLowerCase();
    return layout(rows, {
      grouping: grouping as Grouping, order: list(p.order), hidden: new Set(list(p.hide)), reports, alias: (ip, port) => aliases.name(ip, port),
      keep: (r, leg) => !without.has(r.table) && !(r.method && without.has(r.method)) && !without.has(legKey(leg)) && (text === "" || contains(r, text)),
    });
  }, [rows, reports, grouping, p.order, p.hide, without, p.find, aliases]);
}

/** Two messages to be compared: the chosen one with the marked one, else with its counterpart. */
function pairOf(steps: Step[], chosen: number, marked: Row | null): [Row, Row] | null {
  const here = steps[chosen]?.row;
  const other = marked && here && rowId(marked) !== rowId(here) ? marked : steps[counterpart(steps, chosen)]?.row;
  if (!here || !other || other === here) return null;
  return micros(other.ts) <= micros(here.ts) ? [other, here] : [here, other];
}

export function Call({ place: { params: p } }: PageProps) {
  const id = p.id ?? "";
  const phone = usePhone();
  const [zone] = usePref("zone");
  const [clock] = usePref("clock");
  const { flow, rows, reports } = useFlow(id);
  const [help, setHelp] = useState(false);
  const [failed, setFailed] = useState<unknown>(null);
  const [marked, setMarked] = useState<Row | null>(null);
  const [comparing, setComparing] = useState<[Row, Row] | null>(null);
  const without = useMemo(() => new Set(list(p.without)), [p.without]);
  const ladder = useLadder(rows, reports, p, without);
  const steps = ladder.steps;
  const chosen = useMemo(() => (p.m ? steps.findIndex((s) => rowId(s.row) === p.m) : -1), [steps, p.m]);
  const row = steps[chosen]?.row;
  const tab = p.tab ?? "ladder";

  const set = (change: Record<string, string | undefined>) => go("call", { ...p, ...change }, true);
  const choose = (i: number) => steps[i] && set({ m: rowId(steps[i].row), tab: undefined });
  const toggle = (key: "without" | "hide", value: string) => {
    const next = new Set(list(p[key]));
    if (!next.delete(value)) next.add(value);
    set({ [key]: [...next].join("|") });
  };
  const compare = () => setComparing(pairOf(steps, chosen, marked));
  const intoMessage = () => document.getElementById("tab-panel")?.focus();

  useEffect(() => {
    document.title = id ? `${id} · hepcat` : "hepcat";
    return () => void (document.title = "hepcat");
  }, [id]);

  useKeys((key, event) => {
    // In the message these scroll.
    if (/^(Arrow|Page|Home|End)/.test(key) && (event.target as Element).closest("aside,[role=tablist]")) return false;
    const to = (i: number) => choose(Math.min(Math.max(i, 0), steps.length - 1));
    const step = (by: number) => {
      const siblings = rememberedCalls();
      const next = siblings[siblings.indexOf(id) + by];
      if (siblings.includes(id) && next) go("call", { id: next });
    };
    const actions: Record<string, () => void> = {
      j: () => to(chosen + 1), ArrowDown: () => to(chosen + 1), k: () => to(chosen - 1), ArrowUp: () => to(chosen - 1),
      Home: () => to(0), End: () => to(steps.length - 1), PageDown: () => to(chosen + 15), PageUp: () => to(chosen - 15),
      Enter: () => (chosen < 0 ? to(0) : intoMessage()), n: () => step(1), p: () => step(-1),
      d: compare, m: () => setMarked(row ?? null), "?": () => setHelp(true), "/": () => document.getElementById("find")?.focus(),
      Escape: () => (marked ? setMarked(null) : p.m ? set({ m: undefined }) : history.back()),
    };
    if (!actions[key]) return false;
    actions[key]();
    return true;
  });

  return (
    <div class="page call-page">
      <CallHead id={id} rows={rows} zone={zone}>
        <CallExport id={id} ladder={ladder} zone={zone} fail={setFailed} />
        <Copy text={location.href} label="Copy link" />
        <button type="button" class="icon" aria-label="Keys" title="Keys (?)" onClick={() => setHelp(true)}>?</button>
      </CallHead>
      <Wrong error={flow.error ?? failed} again={flow.error ? flow.again : undefined} />
      <Findings id={id} jump={(at) => set({ m: rowId(at), tab: undefined, without: undefined, find: undefined })} />
      <Tabs label="Views of the call" chosen={tab} choose={(t) => set({ tab: t === "ladder" ? undefined : t })}
        tabs={[["ladder", "Ladder"], ["media", `Media${reports.length > 0 ? ` (${reports.length})` : ""}`], ["legs", `Legs${ladder.legs.length > 1 ? ` (${ladder.legs.length})` : ""}`]]} />
      {tab === "ladder" && <LadderTools rows={rows} flow={flow.data} ladder={ladder} find={p.find ?? ""} without={without} setFind={(find) => set({ find })}
        toggle={(key) => toggle("without", key)} show={(lane) => toggle("hide", lane.id)} compare={row ? compare : undefined} />}
      <div class={`split ladder-split${row && tab === "ladder" ? " open" : ""}`}>
        {tab === "media" && <MediaView reports={reports} rows={rows} jump={(r) => set({ m: rowId(r), tab: undefined })} />}
        {tab === "legs" && <Legs id={id} zone={zone} />}
        {tab === "ladder" && (flow.data && rows.length === 0
          ? <div class="nothing"><p>No message has this Call-ID.</p></div>
          : <LadderView ladder={ladder} chosen={chosen} marked={marked ? steps.findIndex((s) => s.row === marked) : -1} choose={choose} open={intoMessage}
              setOrder={(o) => set({ order: o.join("|") })} hide={(lane) => toggle("hide", lane.id)} zone={zone} relative={clock === "relative"} compact={phone} />)}
        {row && tab === "ladder" && <aside><MessagePanel row={row} close={() => set({ m: undefined })}
          previous={chosen > 0 ? () => choose(chosen - 1) : undefined} next={chosen < steps.length - 1 ? () => choose(chosen + 1) : undefined} /></aside>}
      </div>
      {comparing && <DiffView left={comparing[0]} right={comparing[1]} close={() => setComparing(null)} />}
      {help && <KeysHelp close={() => setHelp(false)} />}
    </div>
  );
}
