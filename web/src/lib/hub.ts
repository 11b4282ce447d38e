// One stream of live messages for all who ask the same; runs in a worker that all tabs share, or in the page.

import { SseParser } from "./sse";

export interface LiveState {
  state: "connecting" | "open" | "lost" | "refused";
  problem?: { title?: string; detail?: string; parameter?: string; at?: number };
}

export type LiveNews =
  | { kind: "rows"; key: string; rows: string[] } // JSON of a row each
  | { kind: "skipped"; key: string; count: number; exact: boolean }
  | { kind: "state"; key: string; state: LiveState };

export type LiveOrder = { kind: "follow"; key: string; url: string } | { kind: "leave" } | { kind: "here" };

type Listener = (news: LiveNews) => void;

interface Stream {
  listeners: Set<Listener>;
  stop: AbortController;
  state: LiveState;
}

const STREAMS = 4; // at once: browsers open six connections to a server, and searches need some
const BATCH_MS = 100;

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });

export class Hub {
  private readonly streams = new Map<string, Stream>();

  follow(url: string, listener: Listener): void {
    this.leave(listener);
    const known = this.streams.get(url);
    if (known) {
      known.listeners.add(listener);
      listener({ kind: "state", key: url, state: known.state });
      return;
    }
    if (this.streams.size >= STREAMS) {
      const detail = `this browser follows ${STREAMS} other filters already; close one of those tabs`;
      listener({ kind: "state", key: url, state: { state: "refused", problem: { detail } } });
      return;
    }
    const stream: Stream = { listeners: new Set([listener]), stop: new AbortController(), state: { state: "connecting" } };
    this.streams.set(url, stream);
    void this.run(url, stream);
  }

  leave(listener: Listener): void {
    for (const [url, stream] of this.streams) {
      if (!stream.listeners.delete(listener) || stream.listeners.size > 0) continue;
      stream.stop.abort();
      this.streams.delete(url);
    }
  }

  private say(url: string, stream: Stream, state: LiveState): void {
    stream.state = state;
    for (const l of stream.listeners) l({ kind: "state", key: url, state });
  }

  private async run(url: string, stream: Stream): Promise<void> {
    const parser = new SseParser();
    for (let failures = 0; !stream.stop.signal.aborted;) {
      try {
        const headers: Record<string, string> = { Accept: "text/event-stream" };
        if (parser.lastId) headers["Last-Event-ID"] = parser.lastId;
        const reply = await fetch(url, { headers, cache: "no-store", signal: stream.stop.signal });
        if (!reply.ok) {
          const problem = (await reply.json().catch(() => ({ detail: `HTTP ${reply.status}` }))) as LiveState["problem"];
          this.say(url, stream, { state: "refused", problem });
          if (reply.status < 500 && reply.status !== 429) break;
          failures++;
        } else {
          failures = 0;
          this.say(url, stream, { state: "open" });
          await this.read(url, stream, parser, reply.body!);
        }
      } catch {
        failures++;
      }
      if (stream.stop.signal.aborted) return;
      if (stream.state.state !== "refused") this.say(url, stream, { state: "lost" });
      await pause(Math.min(parser.retry * 2 ** Math.min(failures, 3), 15000), stream.stop.signal);
    }
    if (this.streams.get(url) === stream) this.streams.delete(url);
  }

  /** Rows go on in batches: a thousand a second must not be a thousand messages between threads. */
  private async read(url: string, stream: Stream, parser: SseParser, body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rows: string[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      timer = undefined;
      if (rows.length > 0) for (const l of stream.listeners) l({ kind: "rows", key: url, rows });
      rows = [];
    };
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        parser.push(decoder.decode(value, { stream: true }), (event) => {
          if (event.type === "message") rows.push(event.data);
          else if (event.type === "skipped") this.skipped(url, stream, event.data);
        });
        if (rows.length > 0 && timer === undefined) timer = setTimeout(flush, BATCH_MS);
      }
    } finally {
      clearTimeout(timer);
      flush();
      void reader.cancel().catch(() => undefined);
    }
  }

  private skipped(url: string, stream: Stream, data: string): void {
    const told = JSON.parse(data) as { count?: number; unseen?: number; exact?: boolean };
    for (const l of stream.listeners)
      l({ kind: "skipped", key: url, count: (told.count ?? 0) + (told.unseen ?? 0), exact: told.exact !== false && !told.unseen });
  }
}
