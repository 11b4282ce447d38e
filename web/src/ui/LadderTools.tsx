// What of a ladder is shown, and how.

import { useMemo } from "preact/hooks";

import type { Ladder, Lane } from "../lib/ladder";
import { usePref } from "../lib/prefs";
import { number, plural } from "../lib/text";
import type { FlowAnswer, Row } from "../lib/types";
import { Text } from "./bits";

const KINDS: [string, string][] = [["sip", "SIP"], ["media", "RTCP"], ["log", "Log"], ["other", "Other"]];

interface Props {
  rows: Row[];
  flow: FlowAnswer | null;
  ladder: Ladder;
  find: string;
  without: ReadonlySet<string>; // kinds, methods, and legs as "leg N"
  setFind: (text: string) => void;
  toggle: (key: string) => void;
  show: (lane: Lane) => void;
  compare?: () => void;
}

function Chips({ label, keys, names, without, toggle }: { label: string; keys: string[]; names?: string[]; without: ReadonlySet<string>; toggle: (key: string) => void }) {
  if (keys.length < 2) return null;
  return (
    <span class="chips" role="group" aria-label={label}>
      {keys.map((k, i) => <button type="button" key={k} class="chip" aria-pressed={!without.has(k)} onClick={() => toggle(k)}><Text text={names?.[i] ?? k} /></button>)}
    </span>
  );
}

export const legKey = (i: number): string => `leg ${i + 1}`;

export function LadderTools({ rows, flow, ladder, find, without, setFind, toggle, show, compare }: Props) {
  const [grouping, setGrouping] = usePref("grouping");
  const [clock, setClock] = usePref("clock");
  const methods = useMemo(() => [...new Set(rows.flatMap((r) => (r.table === "sip" && r.method ? [r.method] : [])))], [rows]);
  const kinds = KINDS.filter(([k]) => rows.some((r) => r.table === k));
  const shown = ladder.steps.length;
  return (
    <div class="status tools">
      <input id="find" type="search" aria-label="Find in the ladder" placeholder="Find  /" value={find} onInput={(e) => setFind(e.currentTarget.value)}
        onKeyDown={(e) => e.key === "Escape" && e.currentTarget.blur()} />
      <Chips label="Kinds" keys={kinds.map(([k]) => k)} names={kinds.map(([, name]) => name)} without={without} toggle={toggle} />
      <Chips label="Legs" keys={ladder.legs.slice(0, 8).map((_, i) => legKey(i))} without={without} toggle={toggle} />
      <Chips label="Methods" keys={methods} without={without} toggle={toggle} />
      {ladder.hidden.map((l) => (
        <button type="button" key={l.id} class="chip hidden-lane" title="Show again" onClick={() => show(l)}><s><Text text={l.label} /></s> ↩</button>
      ))}
      <span class="grow" />
      <span class="note" role="status">{!flow ? "Loading…" : shown === rows.length ? plural(shown, "message") : `${number(shown)} of ${plural(rows.length, "message")}`}
        {flow?.next ? ", and more" : ""}{flow?.problem ? `; not all: ${flow.problem}` : ""}</span>
      <label class="inline"><span class="sr">Lanes</span><select value={grouping} onChange={(e) => setGrouping(e.currentTarget.value)}>
        <option value="port">by address and port</option><option value="ip">by address</option><option value="alias">by alias</option>
      </select></label>
      <button type="button" onClick={() => setClock(clock === "relative" ? "absolute" : "relative")}>{clock === "relative" ? "Clock time" : "Since start"}</button>
      <button type="button" disabled={!compare} title="Compare with the one that is marked (m), or its counterpart (d)" onClick={compare}>Compare</button>
    </div>
  );
}
