// A distribution as bars.

import type { Bucket } from "../lib/spread";
import { number } from "../lib/text";

export function Spread({ label, buckets, look }: { label: string; buckets: Bucket[]; look: (from: number) => string }) {
  const most = Math.max(1, ...buckets.map((b) => b.count));
  const all = buckets.reduce((n, b) => n + b.count, 0);
  if (all === 0) return null;
  return (
    <figure class="chart">
      <figcaption>{label} <span class="note">of {number(all)} calls</span></figcaption>
      <dl class="spread">
        {buckets.map((b) => (
          <>
            <dt>{b.label}</dt>
            <dd aria-hidden="true"><div class={`amount ${look(b.from)}`} style={{ width: `${(b.count / most) * 100}%` }} /></dd>
            <dd class="right">{number(b.count)} <span class="note">{Math.round((b.count / all) * 100)} %</span></dd>
          </>
        ))}
      </dl>
    </figure>
  );
}
