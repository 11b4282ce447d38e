// What this browser remembers: settings, earlier searches, and what the server shared last. All of it may be missing or nonsense.

import { useEffect, useState } from "preact/hooks";

import type { Shared } from "./shared";
import { isZone, LOCAL } from "./time";

interface Kinds {
  zone: string;
  theme: string; // "", "light", "dark"
  history: string[];
  shared: Shared;
  columns: string[];
  callColumns: string[];
  registrationColumns: string[];
  grouping: string;
  clock: string; // "absolute", "relative"
  range: { from: string; to: string };
  aside: number;
}

const PRESET: Kinds = {
  zone: LOCAL, theme: "", history: [], shared: { aliases: [], searches: [] }, columns: [], callColumns: [], registrationColumns: [], grouping: "port", clock: "absolute",
  range: { from: "-1h", to: "" }, aside: 46,
};

const isList = (x: unknown): x is unknown[] => Array.isArray(x);
const isTexts = (x: unknown): boolean => isList(x) && x.every((v) => typeof v === "string");
const hasTexts = (x: unknown, ...keys: string[]): boolean =>
  typeof x === "object" && x !== null && keys.every((k) => typeof (x as Record<string, unknown>)[k] === "string");
const hasLists = (x: unknown, ...keys: string[]): boolean =>
  typeof x === "object" && x !== null && keys.every((k) => isList((x as Record<string, unknown>)[k]));

const VALID: { [K in keyof Kinds]: (x: unknown) => boolean } = {
  zone: (x) => typeof x === "string" && isZone(x),
  theme: (x) => x === "" || x === "light" || x === "dark",
  history: isTexts,
  shared: (x) => hasLists(x, "aliases", "searches") && (x as Shared).aliases.every((a) => hasTexts(a, "address", "name")) &&
    (x as Shared).searches.every((s) => hasTexts(s, "name", "page", "q")),
  columns: isTexts,
  callColumns: isTexts,
  registrationColumns: isTexts,
  grouping: (x) => x === "port" || x === "ip" || x === "alias",
  clock: (x) => x === "absolute" || x === "relative",
  range: (x) => hasTexts(x, "from", "to"),
  aside: (x) => typeof x === "number" && x >= 20 && x <= 80,
};

const PREFIX = "hepcat.";
const listeners = new Map<string, Set<() => void>>();

export function pref<K extends keyof Kinds>(key: K): Kinds[K] {
  try {
    const text = localStorage.getItem(PREFIX + key);
    if (text !== null) {
      const value: unknown = JSON.parse(text);
      if (VALID[key](value)) return value as Kinds[K];
    }
  } catch {
    // Storage that is off or broken remembers nothing.
  }
  return PRESET[key];
}

export function setPref<K extends keyof Kinds>(key: K, value: Kinds[K]): void {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // As above.
  }
  listeners.get(key)?.forEach((l) => l());
}

window.addEventListener("storage", (event) => {
  if (event.key?.startsWith(PREFIX)) listeners.get(event.key.slice(PREFIX.length))?.forEach((l) => l());
});

export function usePref<K extends keyof Kinds>(key: K): [Kinds[K], (value: Kinds[K]) => void] {
  const [value, set] = useState(() => pref(key));
  useEffect(() => {
    const changed = () => set(() => pref(key));
    let known = listeners.get(key);
    if (!known) listeners.set(key, (known = new Set()));
    known.add(changed);
    return () => void known.delete(changed);
  }, [key]);
  return [value, (next) => setPref(key, next)];
}

const HISTORY = 50;

export function remember(filter: string): void {
  const text = filter.trim();
  if (text !== "") setPref("history", [text, ...pref("history").filter((h) => h !== text)].slice(0, HISTORY));
}
