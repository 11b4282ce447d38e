// The list of calls from which one was opened: the page of a call steps through it.

const KEY = "hepcat.calls";
const MOST = 5000;

export function rememberCalls(ids: string[]): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(ids.slice(0, MOST)));
  } catch {
    // Storage that is off remembers nothing.
  }
}

export function rememberedCalls(): string[] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((x): x is string => typeof x === "string") : [];
  } catch {
    return [];
  }
}
