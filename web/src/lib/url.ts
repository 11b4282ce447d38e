// The state of the page is its address: "#/messages?q=...&from=-1h". What is behind "#" never goes to a server.

import { useEffect, useState } from "preact/hooks";

export interface Place {
  page: string;
  params: Readonly<Record<string, string>>;
}

export const START = "calls";

export function parse(hash: string): Place {
  const text = hash.replace(/^#\/?/, "");
  const [page, search = ""] = text.split(/\?(.*)/s);
  return { page: page || START, params: Object.fromEntries(new URLSearchParams(search)) };
}

export function href(page: string, params: Record<string, string | undefined> = {}): string {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) if (value !== undefined && value !== "") out.set(key, value);
  const text = out.toString();
  return `#/${page}${text ? `?${text}` : ""}`;
}

/** Addresses of the page before this one: "?q=...&span=15m&call=...". */
export function fromOldAddress(search: string): string | null {
  const old = new URLSearchParams(search);
  if (![...old.keys()].some((k) => ["q", "span", "call"].includes(k))) return null;
  const call = old.get("call");
  if (call) return href("call", { id: call });
  return href("messages", { q: old.get("q") ?? "", from: old.has("span") ? (old.get("span") ? `-${old.get("span")}` : "all") : "" });
}

const listeners = new Set<() => void>();
window.addEventListener("hashchange", () => listeners.forEach((l) => l()));

/** Goes to a place; `replace` for changes that are no step of their own in the history. */
export function go(page: string, params: Record<string, string | undefined> = {}, replace = false): void {
  const to = href(page, params);
  if (to === location.hash) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  listeners.forEach((l) => l());
}

export function usePlace(): Place {
  const [place, set] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => set(parse(location.hash));
    listeners.add(changed);
    return () => void listeners.delete(changed);
  }, []);
  return place;
}
