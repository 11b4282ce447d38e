// What all users of a server share: names of addresses, and searches. What was heard last stays in this browser as well,
// so that names stand there from the first paint on.

import { Aliases, type Alias } from "./alias";
import { ask, post } from "./api";
import { pref, setPref, usePref } from "./prefs";

export interface Search {
  page: string;
  name: string;
  q: string;
}

export interface Shared {
  aliases: Alias[];
  searches: Search[];
}

interface Change {
  aliases?: { set?: Alias[]; remove?: string[] };
  searches?: { set?: Search[]; remove?: { page: string; name: string }[] };
}

let changes = 0; // an answer that was asked for before one is old

const take = (now: Shared) => {
  if (JSON.stringify(now) !== JSON.stringify(pref("shared"))) setPref("shared", now);
};

async function load(): Promise<void> {
  const before = changes;
  const now = await ask<Shared>("api/v1/shared").catch(() => null); // what is here stays
  if (now && before === changes) take(now);
}

const PART = 2000; // aliases of one change, so that it is no longer than the server takes

/** Throws what the server said of it. */
export async function share(change: Change): Promise<void> {
  changes++;
  const all = change.aliases?.set ?? [];
  for (let at = 0; at === 0 || at < all.length; at += PART) {
    const part = all.length > PART ? { ...(at === 0 ? change : {}), aliases: { ...(at === 0 ? change.aliases : {}), set: all.slice(at, at + PART) } } : change;
    take(await post<Shared>("api/v1/shared", new Blob([JSON.stringify(part)]), "application/json", {}));
  }
  changes++;
}

/** Begins to listen: now, and whenever somebody looks at the page again. */
export function startSharing(): void {
  void load();
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") void load();
  });
}

export const useShared = (): Shared => usePref("shared")[0];

let cached: { list: string; aliases: Aliases } | null = null;

/** The names of addresses, looked up. */
export function useAliases(): Aliases {
  const list = useShared().aliases;
  const key = JSON.stringify(list);
  if (cached?.list !== key) cached = { list: key, aliases: new Aliases(list) };
  return cached.aliases;
}
