// The legs of a call on one axis of time: when each was set up, rang, and was talked on.

import { ask } from "../lib/api";
import { outcome } from "../lib/call";
import { useAliases } from "../lib/shared";
import { party, place, span, spanMs } from "../lib/text";
import { micros, wall } from "../lib/time";
import type { Row } from "../lib/types";
import { href } from "../lib/url";
import { Text, useAsk, Wrong } from "./bits";
import { Mos, State } from "./marks";

interface LegsAnswer {
  rows: Row[];
  cut: boolean;
  problem?: string;
}

const useLegs = (id: string) =>
  useAsk(`legs ${id}`, (signal) => ask<LegsAnswer>(`api/v1/calls/${encodeURIComponent(id)}`, {}, signal));

/** Parts of a leg: class and times. */
function parts(r: Row): [string, number, number][] {
  const at = (ts: unknown) => (typeof ts === "string" ? micros(ts) : undefined);
  const [begin, ringing, answered] = [at(r.invited) ?? micros(r.ts), at(r.ringing), at(r.answered)];
  const end = at(r.ended) ?? at(r.last) ?? begin;
  const talk = answered ?? end;
  const rang = ringing !== undefined && ringing < talk ? ringing : talk;
  const all: [string, number, number][] = [["setup", begin, rang], ["ring", rang, talk], ["talk", talk, end]];
  return all.filter(([, a, b]) => b > a);
}

const WORDS: Record<string, string> = { setup: "set up", ring: "ringing", talk: "talking" };

export function Legs({ id, zone }: { id: string; zone: string }) {
  const { data, error, again } = useLegs(id);
  const aliases = useAliases();
  const rows = data?.rows ?? [];
  const first = Math.min(...rows.map((r) => micros(r.ts)));
  const last = Math.max(first + 1, ...rows.flatMap((r) => parts(r).map(([, , b]) => b)));
  const name = (ip?: string, port?: number) => aliases.name(ip, port) ?? place(ip, port);
  return (
    <div class="media" tabIndex={0} role="region" aria-label="Legs">
      <Wrong error={error} again={again} />
      {data && rows.length === 0 && <div class="nothing"><p>There is no record of this call: its messages may be part of none.</p></div>}
      {rows.length > 0 && <p class="note legend">{Object.entries(WORDS).map(([k, w]) => <span key={k}><i class={`swatch ${k}`} /> {w} </span>)} over {span(last - first)} from {wall(first, zone).slice(0, 23)}</p>}
      <ul class="legs">
        {rows.map((r) => (
          <li key={`${r.seq} ${r.ts}`} class={r.call_id === id ? "here" : ""}>
            <div>
              <b><Text text={party(r.from_user, r.from_host)} /> → <Text text={party(r.to_user ?? r.ruri_user, r.to_host ?? r.ruri_host)} /></b>
              <span class="note"> <Text text={`${name(r.src_ip, r.src_port)} → ${name(r.dst_ip, r.dst_port)}`} /></span>
            </div>
            <div class="span" role="img" aria-label={parts(r).map(([k, a, b]) => `${WORDS[k]} ${span(b - a)}`).join(", ")}>
              {parts(r).map(([kind, a, b]) => (
                <i key={kind} class={kind} title={`${WORDS[kind]} ${span(b - a)}`} style={{ left: `${((a - first) / (last - first)) * 100}%`, width: `${Math.max(((b - a) / (last - first)) * 100, 0.3)}%` }} />
              ))}
            </div>
            <div class="leg-facts">
              <State state={r.state ?? ""} /> <Text text={outcome(r)} /> {r.pdd_ms !== undefined && <span>PDD {spanMs(r.pdd_ms)}</span>} {r.talk_ms !== undefined && <span>talked {spanMs(r.talk_ms)}</span>}
              <Mos mos={r.mos} /> {typeof r.joined_by === "string" && <span class="note">joined by {r.joined_by}</span>}
              {r.call_id && <a class="mono" href={href("call", { id: r.call_id })}><Text text={r.call_id} /></a>}
            </div>
          </li>
        ))}
      </ul>
      {data?.cut && <p class="warn">There are more legs than 64.</p>}
      {data?.problem && <p class="warn">Some may be missing: {data.problem}</p>}
    </div>
  );
}
