// Distributions of values.

export interface Bucket {
  from: number;
  label: string;
  count: number;
}

/** How many values lie in each class; a class begins at its bound, the first one below all others. */
export function spread(values: number[], bounds: number[], unit: string): Bucket[] {
  const out = [-Infinity, ...bounds].map<Bucket>((from, i) => {
    const to = bounds[i];
    const label = to === undefined ? `${from}${unit} and more` : from === -Infinity ? `below ${to}${unit}` : `${from} – ${to}${unit}`;
    return { from, label, count: 0 };
  });
  for (const v of values) {
    let i = bounds.length;
    while (i > 0 && v < bounds[i - 1]) i--;
    out[i].count++;
  }
  return out;
}

/** The least value that the share (0 to 1) does not exceed; null of nothing. */
export function quantile(values: number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

export interface Group {
  name: string;
  count: number;
  mean: number;
  poor: number; // share of values below the bound
}

/** Values by name, those with the most below the bound first. */
export function groups(list: { name: string; value: number }[], bound: number): Group[] {
  const by = new Map<string, number[]>();
  for (const { name, value } of list) {
    const known = by.get(name);
    if (known) known.push(value);
    else by.set(name, [value]);
  }
  return [...by].map(([name, values]) => ({
    name, count: values.length, mean: values.reduce((a, b) => a + b, 0) / values.length, poor: values.filter((v) => v < bound).length / values.length,
  })).sort((a, b) => b.poor * b.count - a.poor * a.count || a.mean - b.mean);
}
