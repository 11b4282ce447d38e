// A table of any length: only the rows in sight are in the document.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Column<T> {
  key: string;
  title: string;
  width: string; // of a grid column
  cell: (row: T) => ComponentChildren;
  sort?: (row: T) => string | number | undefined;
  phone?: boolean; // also shown on a phone
  class?: string;
}

interface Props<T> {
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string;
  label: string;
  chosen: number;
  choose: (index: number) => void;
  open: (index: number) => void;
  end?: () => void; // the last rows are in sight
  empty?: ComponentChildren;
  total?: number;
  sort?: { key: string; down: boolean } | null;
  setSort?: (key: string) => void;
  rowClass?: (row: T) => string;
}

export const ROW = 30;
const SPARE = 12;

export function Table<T>(p: Props<T>) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ first: 0, count: 60 });

  const look = () => {
    const e = box.current!;
    const first = Math.max(0, Math.floor(e.scrollTop / ROW / 6) * 6 - SPARE);
    const count = Math.ceil(e.clientHeight / ROW) + 2 * SPARE + 6;
    setView((v) => (v.first === first && v.count === count ? v : { first, count }));
    if (p.end && e.scrollTop + e.clientHeight > e.scrollHeight - 20 * ROW) p.end();
  };
  const latest = useRef(look);
  latest.current = look;

  useLayoutEffect(() => {
    const watch = new ResizeObserver(() => latest.current());
    watch.observe(box.current!);
    return () => watch.disconnect();
  }, []);
  useLayoutEffect(() => latest.current(), [p.rows.length]);

  // What is chosen by the keyboard is kept in sight.
  useEffect(() => {
    const e = box.current!;
    if (p.chosen < 0) return;
    const top = p.chosen * ROW;
    const room = e.clientHeight - ROW; // below the head
    if (top < e.scrollTop) e.scrollTop = top;
    else if (top + ROW > e.scrollTop + room) e.scrollTop = top + ROW - room;
  }, [p.chosen]);

  const key = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(box.current!.clientHeight / ROW) - 2);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -p.rows.length, End: p.rows.length, j: 1, k: -1 };
    if (event.key in steps && p.rows.length > 0 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      p.choose(Math.min(Math.max(p.chosen + steps[event.key], 0), p.rows.length - 1));
    } else if (event.key === "Enter" && p.chosen >= 0 && !(event.target as Element).closest("button,a")) {
      event.preventDefault();
      p.open(p.chosen);
    }
  };

  const template = { gridTemplateColumns: p.columns.map((c) => c.width).join(" ") };
  const last = Math.min(view.first + view.count, p.rows.length);
  return (
    <div class="table" ref={box} role="grid" tabIndex={0} aria-label={p.label} aria-rowcount={(p.total ?? p.rows.length) + 1}
      aria-activedescendant={p.chosen >= view.first && p.chosen < last ? `row-${p.chosen}` : undefined} onScroll={look} onKeyDown={key}>
      <div class="row head" role="row" aria-rowindex={1} style={template}>
        {p.columns.map((c) => {
          const now = p.sort?.key === c.key ? (p.sort.down ? "descending" : "ascending") : "none";
          return (
            <div key={c.key} role="columnheader" class={c.class} aria-sort={c.sort && p.setSort ? now : undefined}>
              {c.sort && p.setSort
                ? <button type="button" class="plain" tabIndex={-1} onClick={() => p.setSort!(c.key)}>{c.title}{now !== "none" && <span aria-hidden="true">{now === "descending" ? " ▾" : " ▴"}</span>}</button>
                : c.title}
            </div>
          );
        })}
      </div>
      {p.rows.length === 0 && p.empty && <div class="empty" role="row"><div role="gridcell">{p.empty}</div></div>}
      <div class="body" role="rowgroup" style={{ height: `${p.rows.length * ROW}px` }}>
        {p.rows.slice(view.first, last).map((row, n) => {
          const i = view.first + n;
          return (
            <div key={p.id(row)} id={`row-${i}`} class={`row ${i === p.chosen ? "chosen" : ""} ${p.rowClass?.(row) ?? ""}`} role="row"
              aria-rowindex={i + 2} aria-selected={i === p.chosen} style={{ ...template, top: `${i * ROW}px` }}
              onClick={() => p.choose(i)} onDblClick={() => p.open(i)}>
              {p.columns.map((c) => <div key={c.key} role="gridcell" class={c.class}>{c.cell(row)}</div>)}
            </div>
          );
        })}
      </div>
    </div>
  );
}
