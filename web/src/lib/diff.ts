// Differences of two messages, line by line and within lines.

export interface Span {
  text: string;
  changed: boolean;
}

export interface DiffLine {
  kind: "same" | "changed" | "left" | "right";
  left?: Span[];
  right?: Span[];
}

const MOST = 4_000_000; // cells of the table; beyond it the middle counts as replaced

/** Longest common subsequence: pairs of indexes. */
function common<T>(a: T[], b: T[], same: (x: T, y: T) => boolean): [number, number][] {
  let from = 0;
  while (from < a.length && from < b.length && same(a[from], b[from])) from++;
  let endA = a.length;
  let endB = b.length;
  while (endA > from && endB > from && same(a[endA - 1], b[endB - 1])) endA--, endB--;
  const pairs: [number, number][] = [];
  for (let i = 0; i < from; i++) pairs.push([i, i]);
  const n = endA - from;
  const m = endB - from;
  if (n > 0 && m > 0 && n * m <= MOST) {
    const width = m + 1;
    const table = new Uint32Array((n + 1) * width);
    for (let i = n - 1; i >= 0; i--)
      for (let j = m - 1; j >= 0; j--)
        table[i * width + j] = same(a[from + i], b[from + j]) ? table[(i + 1) * width + j + 1] + 1
          : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    for (let i = 0, j = 0; i < n && j < m;) {
      if (same(a[from + i], b[from + j])) pairs.push([from + i++, from + j++]);
      else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) i++;
      else j++;
    }
  }
  for (let i = endA, j = endB; i < a.length; i++, j++) pairs.push([i, j]);
  return pairs;
}

const words = (line: string): string[] => line.match(/[\p{L}\p{N}]+|\s+|./gu) ?? [];

function within(a: string, b: string): { left: Span[]; right: Span[] } {
  const x = words(a);
  const y = words(b);
  const pairs = common(x, y, (p, q) => p === q);
  const mark = (list: string[], kept: Set<number>): Span[] => {
    const out: Span[] = [];
    list.forEach((text, i) => {
      const changed = !kept.has(i);
      const last = out[out.length - 1];
      if (last && last.changed === changed) last.text += text;
      else out.push({ text, changed });
    });
    return out;
  };
  return { left: mark(x, new Set(pairs.map((p) => p[0]))), right: mark(y, new Set(pairs.map((p) => p[1]))) };
}

const name = (line: string): string => /^([^\s:=]+)\s*[:=]/.exec(line)?.[1].toLowerCase() ?? "";

/** Lines side by side; a header of one name that changed stands beside itself. */
export function diff(left: string, right: string): DiffLine[] {
  const a = left.split("\n");
  const b = right.split("\n");
  const out: DiffLine[] = [];
  let i = 0;
  let j = 0;
  const gap = (toA: number, toB: number) => {
    const between = common(a.slice(i, toA), b.slice(j, toB), (x, y) => name(x) === name(y) && (name(x) !== "" || i + j === 0));
    const [a0, b0] = [i, j];
    for (const [p, q] of [...between, [toA - a0, toB - b0] as [number, number]]) {
      for (; i < a0 + p; i++) out.push({ kind: "left", left: [{ text: a[i], changed: true }] });
      for (; j < b0 + q; j++) out.push({ kind: "right", right: [{ text: b[j], changed: true }] });
      if (i < toA && j < toB) out.push({ kind: "changed", ...within(a[i++], b[j++]) });
    }
  };
  for (const [p, q] of [...common(a, b, (x, y) => x === y), [a.length, b.length] as [number, number]]) {
    gap(p, q);
    if (p < a.length) {
      const text = [{ text: a[p], changed: false }];
      out.push({ kind: "same", left: text, right: text });
    }
    i = p + 1;
    j = q + 1;
  }
  return out;
}
