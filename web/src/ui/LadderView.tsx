// The ladder on the screen: lanes to drag and hide, rows in sight only, a keyboard.

import type { ComponentChildren, VNode } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { caption, reorder, type Ladder, type Lane, type Step } from "../lib/ladder";
import { span } from "../lib/text";
import { wall, wallDate, wallTime } from "../lib/time";
import { Text } from "./bits";
import { Mos } from "./marks";

const ROW = 34;
const HEAD = 48;
const SPARE = 10;

interface Props {
  ladder: Ladder;
  chosen: number; // step
  marked: number; // step to compare with
  choose: (step: number) => void;
  open: () => void;
  setOrder: (order: string[]) => void;
  hide: (lane: Lane) => void;
  zone: string;
  relative: boolean;
  compact: boolean;
}

export function LadderView(p: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ first: 0, count: 40 });
  const { lanes, steps } = p.ladder;
  const times = p.compact ? 92 : 172;
  const least = p.compact ? 96 : 132;
  const [room, setRoom] = useState(800);
  const lane = Math.max(least, Math.min(260, Math.floor((room - times - 16) / Math.max(lanes.length, 1))));
  const width = times + lane * Math.max(lanes.length, 1);

  const look = () => {
    const e = box.current!;
    const first = Math.max(0, Math.floor(e.scrollTop / ROW / 4) * 4 - SPARE);
    const count = Math.ceil(e.clientHeight / ROW) + 2 * SPARE + 4;
    setView((v) => (v.first === first && v.count === count ? v : { first, count }));
  };
  useLayoutEffect(() => {
    const watch = new ResizeObserver(() => {
      setRoom(box.current!.clientWidth);
      look();
    });
    watch.observe(box.current!);
    return () => watch.disconnect();
  }, []);

  useEffect(() => {
    const e = box.current!;
    if (p.chosen < 0) return;
    const top = p.chosen * ROW;
    const inSight = e.clientHeight - HEAD;
    if (top < e.scrollTop) e.scrollTop = top;
    else if (top + ROW > e.scrollTop + inSight) e.scrollTop = top + ROW - inSight;
  }, [p.chosen]);

  const last = Math.min(view.first + view.count, steps.length);
  const x = (i: number) => lane * (i + 0.5);
  const at = (e: MouseEvent) => Number((e.target as Element).closest("[id^=step-]")?.id.slice(5) ?? -1);

  // Rows that were drawn are drawn again for nothing: Preact passes over an element that is the same as before.
  const drawn = useMemo(() => new Map<number, VNode>(), [p.ladder, lane, times, p.zone, p.relative, p.compact, p.chosen, p.marked]);
  const lines = useMemo(() => lanes.map((l, i) => <line key={l.id} class="lifeline" x1={x(i)} x2={x(i)} y1={0} y2={ROW} />), [lanes, lane]);
  const rowOf = (i: number): VNode => {
    let row = drawn.get(i);
    if (!row) {
      row = <StepRow key={i} index={i} step={steps[i]} lanes={lanes} lane={lane} times={times} {...p}>{lines}</StepRow>;
      drawn.set(i, row);
    }
    return row;
  };

  return (
    <div class="ladder" ref={box} onScroll={look} role="grid" tabIndex={0} aria-label="Ladder" aria-rowcount={steps.length}
      aria-activedescendant={p.chosen >= view.first && p.chosen < last ? `step-${p.chosen}` : undefined}>
      <div class="lanes" role="row" style={{ width: `${width}px` }}>
        <div role="columnheader" class="lane-times" style={{ width: `${times}px` }}>{p.compact ? "" : p.relative ? "since start" : steps.length > 0 ? wallDate(steps[0].at, p.zone) : ""}</div>
        {lanes.map((l, i) => <LaneHead key={l.id} lane={l} index={i} width={lane} {...p} />)}
      </div>
      <div class="steps" role="rowgroup" style={{ height: `${steps.length * ROW}px`, width: `${width}px` }}
        onClick={(e) => at(e) >= 0 && p.choose(at(e))} onDblClick={(e) => at(e) >= 0 && (p.choose(at(e)), p.open())}>
        {Array.from({ length: Math.max(last - view.first, 0) }, (_, n) => rowOf(view.first + n))}
      </div>
    </div>
  );
}

interface RowProps extends Props {
  index: number;
  step: Step;
  lanes: Lane[];
  lane: number; // width, as the next one
  times: number;
  children: ComponentChildren;
}

function StepRow({ index: i, step: s, lanes, lane, times, zone, relative, compact, chosen, marked, children }: RowProps) {
  return (
    <div id={`step-${i}`} role="row" aria-selected={i === chosen}
      class={`step ${s.tone} leg-${s.leg % 6}${i === chosen ? " chosen" : ""}${i === marked ? " marked" : ""}${s.again ? " again" : ""}`} style={{ top: `${i * ROW}px` }}>
      <div role="gridcell" class="when" style={{ width: `${times}px` }} title={wall(s.at, zone)}>
        <span>{relative ? `+${(s.since / 1e6).toFixed(compact ? 3 : 6)}` : wallTime(s.at, zone, compact ? 0 : 3)}</span>
        <span class={`delta${s.delta > 1e6 ? " long" : ""}`}>{i === 0 ? "" : `+${span(s.delta)}`}</span>
      </div>
      <div role="gridcell" class="arrow" aria-label={spoken(s, lanes)}>
        <Arrow step={s} x={(n) => lane * (n + 0.5)} width={lane * Math.max(lanes.length, 1)} lane={lane}>{children}</Arrow>
      </div>
      {s.mark && <div role="gridcell" class="moment-place"><span class="moment">{s.mark}</span></div>}
    </div>
  );
}

const spoken = (s: Step, lanes: Lane[]) =>
  `${caption(s)}${s.from >= 0 ? `, ${lanes[s.from].label}` : ""}${s.to >= 0 ? ` to ${lanes[s.to].label}` : ""}${s.mark ? `, ${s.mark}` : ""}`;

function Arrow({ step: s, x, width, lane, children }: { step: Step; x: (i: number) => number; width: number; lane: number; children: ComponentChildren }) {
  const none = s.from < 0 && s.to < 0;
  const x1 = none ? 8 : x(s.from < 0 ? s.to : s.from);
  let x2 = none ? 8 : x(s.to < 0 ? s.from : s.to);
  const self = !none && x1 === x2;
  if (self) x2 = x1 + lane * 0.35;
  const y = 25;
  const back = x2 < x1 ? 7 : -7;
  const left = Math.min(x1, x2);
  return (
    <>
      <svg width={width} height={ROW} aria-hidden="true">
        {children}
        {!none && <path class="shaft" d={`M${x1} ${y}H${x2 + back * 0.7}`} />}
        {!none && <path class="point" d={`M${x2} ${y}l${back} -4.5v9z`} />}
      </svg>
      <span class={`caption${none || self ? " wide" : ""}`} style={none || self ? { left: `${left + (self ? 4 : 0)}px`, maxWidth: `${width - left - 8}px` } : { left: `${left}px`, width: `${Math.abs(x2 - x1)}px` }}>
        <span class="inner">
          <span class="what"><Text text={s.title} /></span>
          {s.sdp && <span class="sdp" title={`SDP ${s.sdp}`}>{s.sdp === "sdp" ? "SDP" : s.sdp}{s.codecs ? ` ${s.codecs}` : ""}</span>}
          {s.again === "retransmission" && <span class="flag" title="retransmission">↻</span>}
          {s.again === "tap" && <span class="flag" title="the same message, seen by another capture agent">⧉</span>}
          <Mos mos={s.mos} />
          {s.row.parse_error && <span class="flag bad" title={`malformed: ${s.row.parse_error}`}>⚠</span>}
        </span>
      </span>
    </>
  );
}

/** Head of a lane: dragged with a pointer, moved with Shift and arrows, hidden with its button. */
function LaneHead({ lane, index, width, ladder, setOrder, hide }: Props & { lane: Lane; index: number; width: number }) {
  const [shift, setShift] = useState<number | null>(null);
  const start = useRef(0);
  const move = (by: number) => {
    const to = Math.min(Math.max(index + by, 0), ladder.lanes.length - 1);
    if (to === index) return;
    const others = ladder.lanes.filter((l) => l.id !== lane.id);
    setOrder(reorder(ladder.lanes, lane.id, others[to]?.id ?? null));
  };
  return (
    <div role="columnheader" class={`lane${shift !== null ? " moving" : ""}`}
      style={{ width: `${width}px`, transform: shift === null ? undefined : `translateX(${shift}px)` }}
      onPointerDown={(e) => {
        if ((e.target as Element).closest("button.plain")) return;
        start.current = e.clientX;
        e.currentTarget.setPointerCapture(e.pointerId);
        setShift(0);
      }}
      onPointerMove={(e) => shift !== null && setShift(e.clientX - start.current)}
      onPointerUp={() => {
        if (shift !== null) move(Math.round(shift / width));
        setShift(null);
      }}
      onPointerCancel={() => setShift(null)}>
      <button type="button" class="lane-name" title={`${lane.label}${lane.sub ? ` (${lane.sub})` : ""}: ${lane.messages} messages. Drag, or Shift and arrows, to move`}
        aria-label={`${lane.label}, ${lane.messages} messages`}
        onKeyDown={(e) => {
          if (!e.shiftKey || (e.key !== "ArrowLeft" && e.key !== "ArrowRight")) return;
          e.preventDefault();
          move(e.key === "ArrowLeft" ? -1 : 1);
        }}>
        <b><Text text={lane.label} /></b>{lane.sub && <small><Text text={lane.sub} /></small>}
      </button>
      <button type="button" class="plain lane-hide" aria-label={`Hide ${lane.label}`} title="Hide" onClick={() => hide(lane)}>✕</button>
    </div>
  );
}
