// Lines over time.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

import { usePref } from "../lib/prefs";
import { LOCAL } from "../lib/time";

export interface Line {
  label: string;
  values: (number | null)[];
  colour: string; // a custom property of the style sheet: "--s2"
  dash?: number[];
}

export interface Mark {
  at: number; // seconds
  label: string;
}

interface Props {
  label: string;
  times: number[]; // seconds, ascending
  lines: Line[];
  unit?: string;
  height?: number;
  span?: [number, number]; // bounds of the time axis, seconds; those of the data without it
  gaps?: boolean; // lines end where there is no value
  low?: number; // bounds of the axis of values
  high?: number;
  marks?: Mark[];
  sync?: string; // charts of one name share the cursor
  choose?: (seconds: number) => void; // a click
  zoom?: (from: number, to: number) => void; // a drag
}

const property = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Vertical lines with a word each, behind the data. */
function drawMarks(u: uPlot, marks: Mark[], ink: string): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = ink;
  ctx.fillStyle = ink;
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  let free = -Infinity; // words that would overlap are left out
  for (const m of marks) {
    const x = u.valToPos(m.at, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const width = ctx.measureText(m.label).width;
    const left = x + width > bbox.left + bbox.width ? x - width - 3 * ratio : x + 3 * ratio;
    if (left < free) continue;
    ctx.fillText(m.label, left, bbox.top + 11 * ratio);
    free = left + width + 8 * ratio;
  }
  ctx.restore();
}

function options(p: Props, zone: string, width: number): uPlot.Options {
  const [dim, grid] = [property("--dim"), property("--line")];
  const axis = { stroke: dim, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: "12px system-ui, sans-serif" };
  const value = (v: number | null) => (v === null || v === undefined ? "–" : `${Math.round(v * 100) / 100}${p.unit ? ` ${p.unit}` : ""}`);
  return {
    width, height: p.height ?? 140,
    tzDate: (s) => (zone === LOCAL ? new Date(s * 1000) : uPlot.tzDate(new Date(s * 1000), zone)),
    cursor: { y: false, sync: p.sync ? { key: p.sync } : undefined, drag: { x: p.zoom !== undefined, y: false, setScale: false } },
    scales: { x: p.span ? { range: () => p.span! } : {}, y: { range: (_, low, high) => [p.low ?? Math.min(low ?? 0, 0), p.high ?? Math.max(high ?? 1, 1) * 1.05] } },
    axes: [{ ...axis, space: 84, values: [
      [86400, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
      [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1], [0.001, "{ss}.{fff}", null, null, null, null, null, null, 1],
    ] }, { ...axis, size: 52, values: (_, list) => list.map((v) => (v === null ? "" : String(Math.round(v * 100) / 100))) }],
    series: [
      { value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" },
      ...p.lines.map((l) => ({
        label: l.label, stroke: property(l.colour), width: 1.6, dash: l.dash, spanGaps: !p.gaps,
        points: { show: p.times.length < 60, size: 5 }, value: (_: uPlot, v: number | null) => value(v),
      })),
    ],
    hooks: {
      drawAxes: [(u) => drawMarks(u, p.marks ?? [], dim)],
      setSelect: [(u) => {
        if (!p.zoom || u.select.width < 4) return;
        p.zoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
      ready: [(u) => u.over.addEventListener("click", () => {
        const at = u.cursor.idx;
        if (at !== null && at !== undefined && u.data[0][at] !== undefined) p.choose?.(u.data[0][at]);
      })],
    },
  };
}

export function Chart(p: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [zone] = usePref("zone");
  const [theme] = usePref("theme");
  const data = JSON.stringify([p.times, p.lines, p.marks, p.span]);
  useEffect(() => {
    const at = box.current!;
    const plot = new uPlot(options(p, zone, at.clientWidth), [p.times, ...p.lines.map((l) => l.values)] as uPlot.AlignedData, at);
    const watch = new ResizeObserver(() => plot.setSize({ width: at.clientWidth, height: p.height ?? 140 }));
    watch.observe(at);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [data, zone, theme]);
  return (
    <figure class="chart">
      <figcaption>{p.label}{p.unit ? <span class="note"> {p.unit}</span> : null}</figcaption>
      <div ref={box} role="img" aria-label={`${p.label} over time: ${p.lines.map((l) => l.label).join(", ")}`} />
    </figure>
  );
}
