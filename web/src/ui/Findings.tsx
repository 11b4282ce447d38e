// What went wrong in a call, in words.

import { ask } from "../lib/api";
import { plural } from "../lib/text";
import type { Diagnosis, Finding } from "../lib/types";
import { Text, useAsk, Wrong } from "./bits";

const SHAPES: Record<Finding["severity"], string> = { error: "✕", warning: "!", info: "i" };

const useDiagnosis = (id: string) =>
  useAsk(`diagnosis ${id}`, (signal) => ask<Diagnosis>(`api/v1/calls/${encodeURIComponent(id)}/diagnosis`, { legs: 1 }, signal));

/** `jump` goes to a message that a finding names. */
export function Findings({ id, jump }: { id: string; jump?: (at: { seq: number; ts: string }) => void }) {
  const { data, error, again } = useDiagnosis(id);
  return (
    <section class="findings" aria-label="Diagnosis">
      <Wrong error={error} again={again} />
      {data && data.findings.length === 0 && data.messages > 0 && <p class="note">✓ Nothing wrong was found in {plural(data.messages, "message")}.</p>}
      {data && data.findings.length > 0 && <ul>{data.findings.map((f, i) => <li key={i} class={f.severity}><One finding={f} jump={jump} /></li>)}</ul>}
    </section>
  );
}

function One({ finding: f, jump }: { finding: Finding; jump?: (at: { seq: number; ts: string }) => void }) {
  return (
    <>
      <span class="severity" aria-hidden="true">{SHAPES[f.severity]}</span>
      <div>
        <span class="sr">{f.severity}: </span><Text text={f.text} />
        {jump && f.evidence.slice(0, 12).map((e) => (
          <button type="button" key={`${e.seq} ${e.ts}`} class="evidence" title="Go to this message" aria-label={`Message ${e.number}`} onClick={() => jump(e)}>{e.number}</button>
        ))}
        {f.hint && <p class="note"><Text text={f.hint} /></p>}
      </div>
    </>
  );
}
