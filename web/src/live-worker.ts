// The worker that tabs share: one stream for all tabs that show the same filter.

import { Hub, type LiveNews, type LiveOrder } from "./lib/hub";

const hub = new Hub();
const SILENT_MS = 180_000; // a tab says every 20 s that it is there; one in the background, every minute

interface Scope {
  onconnect: ((event: MessageEvent) => void) | null;
}

(self as unknown as Scope).onconnect = (event) => {
  const port = event.ports[0];
  const listener = (news: LiveNews) => port.postMessage(news);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const here = () => {
    clearTimeout(timer);
    timer = setTimeout(() => hub.leave(listener), SILENT_MS);
  };
  port.onmessage = ({ data }: MessageEvent<LiveOrder>) => {
    here();
    if (data.kind === "follow") hub.follow(data.url, listener);
    else if (data.kind === "leave") hub.leave(listener);
  };
  here();
};
