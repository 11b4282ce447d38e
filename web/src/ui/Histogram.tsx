// How many there were over the range, by colour; dragging over it zooms.

import { useRef, useState } from "preact/hooks";

import { usePref } from "../lib/prefs";
import { number } from "../lib/text";
import { micros, toIso, wall, wallTime, type Range } from "../lib/time";
import type { Counts } from "../lib/types";

interface Props {
  counts: Counts | null;
  zoom: (range: Range) => void;
  colour: (value: string) => string; // class of a series
  what: string; // "messages"
}

const HEIGHT = 64;

export function Histogram({ counts, zoom, colour, what }: Props) {
  const [zone] = usePref("zone");
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const [over, setOver] = useState(-1);
  const box = useRef<HTMLDivElement>(null);
  const bars = counts?.starts.length ?? 0;
  const width = counts?.interval_us ?? 0;
  const first = bars > 0 ? micros(counts!.starts[0]) : 0;
  const most = Math.max(1, ...(counts?.counts ?? []));

  const share = (event: PointerEvent) => {
    const r = box.current!.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - r.left) / r.width, 0), 1);
  };
  const timeAt = (x: number) => first + x * bars * width;
  const end = () => {
    if (drag && Math.abs(drag.to - drag.from) > 0.004) {
      const [a, b] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)].map((x) => Math.round(timeAt(x)));
      zoom({ from: toIso(a), to: toIso(b) });
    }
    setDrag(null);
  };
  const zoomOut = () => bars > 0 && zoom({ from: toIso(first - (bars * width) / 2), to: toIso(first + bars * width * 1.5) });

  const stacks = counts?.series ? [...counts.series, ...(counts.other?.total ? [{ ...counts.other, value: "other" }] : []),
    ...(counts.none?.total ? [{ ...counts.none, value: "" }] : [])] : counts ? [{ value: "", counts: counts.counts, total: counts.total }] : [];
  const label = (us: number) => (width >= 86_400e6 ? wall(us, zone).slice(0, 10) : bars * width > 86_400e6 ? wall(us, zone).slice(5, 16) : wallTime(us, zone, 0));
  const tip = over >= 0 && over < bars ? stacks.map((s) => [s.value, s.counts[over]] as const).filter(([, n]) => n > 0) : [];

  return (
    <div class="histogram">
      <div
        ref={box} class="bars" role="img"
        aria-label={counts ? `${number(counts.total)} ${what} in ${bars} intervals of ${counts.interval ?? "no length"}` : "being counted"}
        onPointerDown={(e) => {
          if (bars === 0 || e.button !== 0) return;
          box.current!.setPointerCapture(e.pointerId);
          setDrag({ from: share(e), to: share(e) });
        }}
        onPointerMove={(e) => {
          setOver(Math.floor(share(e) * bars));
          if (drag) setDrag({ ...drag, to: share(e) });
        }}
        onPointerUp={end} onPointerLeave={() => setOver(-1)} onPointerCancel={() => setDrag(null)} onDblClick={zoomOut}
      >
        <svg viewBox={`0 0 ${Math.max(bars, 1)} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {Array.from({ length: bars }, (_, i) => {
            let y = HEIGHT;
            return stacks.map((s) => {
              const n = s.counts[i];
              if (!n) return null;
              const h = Math.max((n / most) * (HEIGHT - 4), 0.75);
              y -= h;
              return <rect key={s.value} class={`bar ${colour(s.value ?? "")}${i === over ? " over" : ""}`} x={i + 0.08} y={Math.max(y, 0)} width={0.84} height={h} />;
            });
          })}
        </svg>
        {drag && <div class="drag" style={{ left: `${Math.min(drag.from, drag.to) * 100}%`, width: `${Math.abs(drag.to - drag.from) * 100}%` }} />}
        {tip.length > 0 && !drag && (
          <div class="tip" style={over > bars / 2 ? { right: `${(1 - over / bars) * 100}%` } : { left: `${((over + 1) / bars) * 100}%` }}>
            <b>{label(first + over * width)}</b>
            {tip.map(([value, n]) => <span key={value}><i class={`dot ${colour(value ?? "")}`} />{value || what} {number(n)}</span>)}
          </div>
        )}
      </div>
      <div class="axis" aria-hidden="true">
        {bars > 0 && [0, 0.25, 0.5, 0.75, 1].map((x) => <span key={x}>{label(timeAt(x))}</span>)}
      </div>
    </div>
  );
}
