// Asking the server. Addresses are relative, so that the page works below any path of any proxy.

export interface ProblemBody {
  title?: string;
  status?: number;
  detail?: string;
  parameter?: string;
  at?: number;
}

/** What the server refused, with its words. */
export class Problem extends Error {
  constructor(readonly body: ProblemBody, readonly status: number, readonly retryAfter = 0) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
  }
}

/** Nobody answered. */
export class Lost extends Error {
  constructor() {
    super("the server does not answer");
  }
}

export type Params = Record<string, string | number | boolean | undefined | null>;

export function query(params: Params): string {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(params))
    if (value !== undefined && value !== null && value !== "" && value !== false) out.set(key, value === true ? "1" : String(value));
  return out.toString();
}

/** Address of a resource, below the folder in which the page is. */
export function address(path: string, params: Params = {}, base = document.baseURI): string {
  const text = query(params);
  const url = new URL(`./${path}`, base);
  return `${url.origin}${url.pathname}${text ? `?${text}` : ""}`;
}

type Watcher = (there: boolean) => void;
const watchers = new Set<Watcher>();

/** Tells whenever an answer came, or none. */
export function watch(watcher: Watcher): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

const tell = (there: boolean) => watchers.forEach((w) => w(there));

const wait = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), fail(signal.reason)), { once: true });
  });

async function once(url: string, init: RequestInit): Promise<Response> {
  try {
    const reply = await fetch(url, init);
    tell(true);
    return reply;
  } catch (error) {
    if (init.signal?.aborted) throw error;
    tell(false);
    throw new Lost();
  }
}

export async function problemOf(reply: Response): Promise<Problem> {
  const body = (await reply.json().catch(() => ({ title: `HTTP ${reply.status} ${reply.statusText}` }))) as ProblemBody;
  return new Problem(body, reply.status, Number(reply.headers.get("Retry-After") ?? 0));
}

/** The answer; asks again where the server says when, and for a while if it is not there. */
export async function ask<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      const reply = await once(address(path, params), { headers: { Accept: "application/json" }, signal });
      if (reply.ok) return (await reply.json()) as T;
      throw await problemOf(reply);
    } catch (error) {
      if (signal?.aborted) throw error;
      const again = error instanceof Lost || (error instanceof Problem && error.retryAfter > 0);
      if (!again || attempt >= 4) throw error;
      await wait(error instanceof Problem ? Math.min(error.retryAfter, 10) * 1000 : 500 * 2 ** attempt, signal);
    }
  }
}

/** Sends a body; not again by itself. */
export async function post<T>(path: string, body: Blob, type: string, headers: Record<string, string>, signal?: AbortSignal): Promise<T> {
  const reply = await once(address(path), { method: "POST", body, headers: { "Content-Type": type, ...headers }, signal });
  if (!reply.ok) throw await problemOf(reply);
  return (await reply.json()) as T;
}

/** The state of the server; a 503 has a body, too. */
export async function health<T>(signal?: AbortSignal): Promise<T> {
  const reply = await once(address("health"), { signal });
  return (await reply.json()) as T;
}

export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";
