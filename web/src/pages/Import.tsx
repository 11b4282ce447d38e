// Captures and HEP frames of files, stored with their times.

import { useRef, useState } from "preact/hooks";

import { isAbort, Lost, post, Problem } from "../lib/api";
import { kindOf, pieces, TYPES } from "../lib/split";
import { number, octets, plural } from "../lib/text";
import { href } from "../lib/url";
import { Text } from "../ui/bits";

interface Answer {
  stored: number;
  bad: number;
  first_error?: { offset?: number; text: string };
  capture?: Record<string, number>;
}

interface Job {
  name: string;
  size: number;
  sent: number;
  stored: number;
  bad: number;
  note: string;
  state: "waiting" | "sending" | "done" | "failed" | "stopped";
}

function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

const TRIES = 6;
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** One piece; the key makes it safe to send it again. */
async function send(octets_: Blob, type: string, signal: AbortSignal): Promise<Answer> {
  const key = randomKey();
  for (let attempt = 1; ; attempt++) {
    try {
      return await post<Answer>("api/v1/import", octets_, type, { "Idempotency-Key": key }, signal);
    } catch (error) {
      const again = error instanceof Lost || (error instanceof Problem && (error.status === 503 || error.status === 429));
      if (!again || attempt === TRIES) throw error;
      await pause(error instanceof Problem ? Math.max(error.retryAfter, 1) * 1000 : 500 * 2 ** attempt);
    }
  }
}

export function Import() {
  const [jobs, setJobs] = useState<Job[]>([]);
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const queue = useRef<Promise<void>>(Promise.resolve());
  const stop = useRef(new AbortController());

  const run = async (file: File, index: number) => {
    const change = (next: Partial<Job>) => setJobs((all) => all.map((j, i) => (i === index ? { ...j, ...next } : j)));
    const signal = stop.current.signal;
    if (signal.aborted) return change({ state: "stopped" });
    let [stored, bad] = [0, 0];
    let note = "";
    try {
      const kind = kindOf(new DataView(await file.slice(0, 28).arrayBuffer()));
      change({ state: "sending" });
      for await (const piece of pieces(file)) {
        const a = await send(piece.octets, kind ? TYPES[kind] : "application/octet-stream", signal);
        stored += a.stored;
        bad += a.bad;
        if (!note && a.first_error) note = `${a.first_error.text}${a.first_error.offset === undefined ? "" : ` at octet ${a.first_error.offset}`}`;
        change({ sent: piece.end, stored, bad, note });
      }
      change({ state: "done", sent: file.size });
    } catch (error) {
      change(isAbort(error) ? { state: "stopped" } : { state: "failed", note: error instanceof Error ? error.message : "it failed" });
    }
  };

  const take = (files: FileList | null | undefined) => {
    if (!files || files.length === 0) return;
    if (stop.current.signal.aborted) stop.current = new AbortController();
    const list = [...files];
    setJobs((old) => {
      list.forEach((file, i) => (queue.current = queue.current.then(() => run(file, old.length + i))));
      return [...old, ...list.map<Job>((f) => ({ name: f.name, size: f.size, sent: 0, stored: 0, bad: 0, note: "", state: "waiting" }))];
    });
  };

  const busy = jobs.some((j) => j.state === "sending" || j.state === "waiting");
  const stored = jobs.reduce((n, j) => n + j.stored, 0);
  return (
    <div class="page scroll">
      <h1>Import</h1>
      <div class={`drop${over ? " over" : ""}`}
        onDragOver={(e) => (e.preventDefault(), setOver(true))} onDragLeave={() => setOver(false)}
        onDrop={(e) => {
          e.preventDefault();
          setOver(false);
          take(e.dataTransfer?.files);
        }}>
        <p><b>Drop captures here</b>, or <button type="button" class="primary" onClick={() => input.current?.click()}>choose files</button></p>
        <p class="note">pcap, pcapng, or HEP frames back to back. SIP, RTCP and HEP in them are stored with the times of the capture. Large files go in pieces.</p>
        <input ref={input} id="files" type="file" multiple hidden accept=".pcap,.pcapng,.cap,.hep" onChange={(e) => {
          take(e.currentTarget.files);
          e.currentTarget.value = "";
        }} />
      </div>
      {jobs.length > 0 && (
        <>
          <ul class="jobs" aria-live="polite">
            {jobs.map((j, i) => (
              <li key={i} class={j.state}>
                <div><b><Text text={j.name} /></b> <span class="note">{octets(j.size)}</span></div>
                <progress max={Math.max(j.size, 1)} value={j.sent} aria-label={`Progress of ${j.name}`} />
                <div>{words(j)}</div>
              </li>
            ))}
          </ul>
          {busy && <button type="button" onClick={() => stop.current.abort()}>Stop</button>}
          {!busy && stored > 0 && <p><a class="button primary" href={href("messages", { from: "all" })}>Look at the messages</a></p>}
        </>
      )}
    </div>
  );
}

function words(j: Job) {
  const done = `${plural(j.stored, "message")} stored${j.bad ? `, ${number(j.bad)} bad` : ""}`;
  if (j.state === "waiting") return "waits";
  if (j.state === "sending") return `${Math.floor((100 * j.sent) / Math.max(j.size, 1))} % · ${done}`;
  if (j.state === "stopped") return `stopped · ${done}`;
  return <>{j.state === "failed" ? <span class="bad">Failed: <Text text={j.note} /></span> : <>{done}{j.note && <span class="warn"> · first: <Text text={j.note} /></span>}</>}{j.state === "failed" && j.stored > 0 ? ` · ${done}` : ""}</>;
}
