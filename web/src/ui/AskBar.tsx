// Filter and time range of a page, as its address has them.

import { remember } from "../lib/prefs";
import type { Range } from "../lib/time";
import { go } from "../lib/url";
import { rangeOf } from "../pages/page";
import { SearchBar, type Of } from "./SearchBar";
import { TimePicker } from "./TimePicker";

export interface Question {
  q: string;
  range: Range;
  key: string; // changes when it is to be asked again
  submit: (q: string) => void;
  zoom: (range: Range) => void;
}

export function questionOf(page: string, p: Readonly<Record<string, string>>): Question {
  const q = p.q ?? "";
  const range = rangeOf(p);
  const set = (change: Record<string, string | undefined>) => go(page, { ...p, m: undefined, at: undefined, ...change });
  return {
    q, range, key: JSON.stringify([q, range.from, range.to, p.at ?? ""]),
    submit: (text) => {
      remember(text);
      // The same question again is asked again.
      set({ q: text, at: text === q ? String(Date.now()) : undefined });
    },
    zoom: (r) => set({ from: r.from || "all", to: r.to }),
  };
}

export function AskBar({ page, of, question: { q, range, submit, zoom }, placeholder }: { page: string; of: Of; question: Question; placeholder?: string }) {
  return (
    <div class="bar">
      <SearchBar page={page} of={of} q={q} range={range} submit={submit} placeholder={placeholder} />
      <TimePicker range={range} set={zoom} />
    </div>
  );
}
