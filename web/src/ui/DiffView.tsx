// Two messages side by side.

import { useMemo } from "preact/hooks";

import { diff, type Span } from "../lib/diff";
import { usePref } from "../lib/prefs";
import { place, title } from "../lib/text";
import { micros, wallTime } from "../lib/time";
import type { Message, Row } from "../lib/types";
import { Dialog, Text, useAsk, Wrong } from "./bits";
import { loadMessage, payloadText } from "./MessagePanel";

const clean = (m: Message) => payloadText(m).replace(/\r\n/g, "\n").replace(/\n+$/, "");

export function DiffView({ left, right, close }: { left: Row; right: Row; close: () => void }) {
  const { data, error, again } = useAsk(`${left.seq} ${right.seq}`, (signal) =>
    Promise.all([loadMessage(left, signal), loadMessage(right, signal)]));
  const lines = useMemo(() => (data ? diff(clean(data[0]), clean(data[1])) : []), [data]);
  const changes = lines.filter((l) => l.kind !== "same").length;
  return (
    <Dialog title="Compare two messages" close={close} wide>
      <Wrong error={error} again={again} />
      {data && <p class="note">{changes === 0 ? "They are the same." : `${changes} of ${lines.length} lines differ.`}</p>}
      {data && (
        <div class="diff-box" tabIndex={0} role="region" aria-label="Differences">
          <table class="diff">
            <thead><tr>{data.map((m) => <th key={m.seq} scope="col"><Head row={m} /></th>)}</tr></thead>
            <tbody>
              {lines.map((l, i) => (
                <tr key={i} class={l.kind}>
                  <td>{l.left && <Line spans={l.left} />}</td>
                  <td>{l.right && <Line spans={l.right} />}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Dialog>
  );
}

function Head({ row }: { row: Row }) {
  const [zone] = usePref("zone");
  return <><Text text={title(row)} /> <span class="note">{wallTime(micros(row.ts), zone, 6)} · <Text text={`${place(row.src_ip, row.src_port)} → ${place(row.dst_ip, row.dst_port)}`} /></span></>;
}

function Line({ spans }: { spans: Span[] }) {
  return <>{spans.map((s, i) => (s.changed ? <mark key={i}><Text text={s.text} /></mark> : <Text key={i} text={s.text} />))}</>;
}
