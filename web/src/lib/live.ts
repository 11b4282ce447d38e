// Live messages for a page of this tab.

import { address, type Params } from "./api";
import { Hub, type LiveNews, type LiveOrder } from "./hub";

interface Line {
  send(order: LiveOrder): void;
  listener: ((news: LiveNews) => void) | null;
}

let line: Line | null = null;

function open(): Line {
  if (line) return line;
  const made: Line = { send: () => undefined, listener: null };
  try {
    const worker = new SharedWorker(new URL("./live.js", document.baseURI), { name: "hepcat live", type: "module" });
    worker.port.onmessage = (event: MessageEvent<LiveNews>) => made.listener?.(event.data);
    made.send = (order) => worker.port.postMessage(order);
    setInterval(() => made.send({ kind: "here" }), 20_000);
  } catch {
    // Browsers without shared workers (some phones): this tab has its own stream.
    const hub = new Hub();
    const listener = (news: LiveNews) => made.listener?.(news);
    made.send = (order) => (order.kind === "follow" ? hub.follow(order.url, listener) : order.kind === "leave" && hub.leave(listener));
  }
  window.addEventListener("pagehide", () => made.send({ kind: "leave" }));
  line = made;
  return made;
}

/** Follows messages that match; call the result to stop. */
export function follow(params: Params, listener: (news: LiveNews) => void): () => void {
  const url = address("api/v1/live", params);
  const to = open();
  to.listener = (news) => news.key === url && listener(news);
  const order: LiveOrder = { kind: "follow", key: url, url };
  const back = (event: PageTransitionEvent) => event.persisted && to.send(order);
  to.send(order);
  window.addEventListener("pageshow", back);
  return () => {
    window.removeEventListener("pageshow", back);
    to.send({ kind: "leave" });
    to.listener = null;
  };
}
