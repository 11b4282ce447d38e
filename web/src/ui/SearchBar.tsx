// The box for filters: completion of fields and of values that there are, earlier and saved searches.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { ask } from "../lib/api";
import { completeField, completeValue, contextAt, placeOf, type Choice } from "../lib/filter";
import { usePref } from "../lib/prefs";
import { share, useShared } from "../lib/shared";
import type { Range } from "../lib/time";
import type { Field, Values } from "../lib/types";
import { Text } from "./bits";

let fieldsOnce: Promise<Field[]> | null = null;

export function loadFields(): Promise<Field[]> {
  fieldsOnce ??= ask<{ fields: Field[] }>("api/v1/fields").then((a) => a.fields, () => ((fieldsOnce = null), []));
  return fieldsOnce;
}

export type Of = "messages" | "calls" | "registrations";

interface Props {
  page: string;
  of?: Of; // whose fields and values complete it
  q: string;
  range: Range;
  submit: (q: string) => void;
  placeholder?: string;
}

const VALUES_MS = 150; // of rest before values are asked for

export function SearchBar({ page, of = "messages", q, range, submit, placeholder }: Props) {
  const [text, setText] = useState(q);
  const [listed, setListed] = useState<{ place: string; list: Choice[] }>({ place: "", list: [] });
  const [at, setAt] = useState(-1);
  const [open, setOpen] = useState(false);
  const { searches } = useShared();
  const [history] = usePref("history");
  const input = useRef<HTMLInputElement>(null);
  const caret = useRef(q.length);
  const typed = useRef(q); // also before it is drawn
  const placeNow = () => (typed.current.trim() === "" ? "" : placeOf(contextAt(typed.current, caret.current)));
  const choices = listed.place === placeNow() ? listed.list : []; // those of a moment ago go at once
  useEffect(() => {
    typed.current = q;
    setText(q);
    setOpen(false);
  }, [q]);

  const earlier = useMemo<Choice[]>(() => [
    ...searches.filter((s) => s.page === page).map((s) => ({ text: s.name, note: s.q || "everything", insert: s.q, from: 0, to: -1 })),
    ...history.slice(0, 8).map((h) => ({ text: h, note: "earlier", insert: h, from: 0, to: -1 })),
  ], [searches, history, page]);

  useEffect(() => {
    if (!open) return;
    if (text.trim() === "") {
      setListed({ place: "", list: earlier });
      setAt(-1);
      return;
    }
    const stop = new AbortController();
    const context = contextAt(text, caret.current);
    const show = (list: Choice[]) => {
      if (stop.signal.aborted) return;
      setListed({ place: placeOf(context), list });
      setAt(-1);
    };
    if (context.kind === "field") {
      void loadFields().then((fields) => show(completeField(context, fields.filter((f) => f.of.includes(of)))));
      return () => stop.abort();
    }
    const timer = setTimeout(async () => {
      const fields = await loadFields();
      const field = fields.find((f) => f.of.includes(of) && (f.name === context.field || f.aliases.includes(context.field)));
      if (!field?.values || /^[<>=/]/.test(context.prefix)) return show([]);
      const params = { of: of === "messages" ? "" : of, field: field.name, prefix: context.prefix.replace(/\*.*$/, ""), from: range.from, to: range.to, limit: 10 };
      await ask<Values>("api/v1/values", params, stop.signal).then((a) => show(completeValue(context, a.values)), () => show([]));
    }, VALUES_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text, open, earlier]);

  const send = (filter: string) => {
    setOpen(false);
    submit(filter.trim());
  };

  const take = (choice: Choice) => {
    if (choice.to < 0) {
      setText(choice.insert);
      return send(choice.insert);
    }
    // What is drawn may be of a moment ago: then the choice is of no use, or replaces what stands at the caret now.
    if (listed.place !== placeNow()) return;
    const { from, to } = contextAt(typed.current, caret.current);
    const rest = typed.current.slice(to).replace(/^:(?=.*)/, (c) => (choice.insert.endsWith(":") ? "" : c));
    const space = choice.insert.endsWith(":") || choice.insert.endsWith(" ") || rest.startsWith(" ") || rest.startsWith(",") ? "" : " ";
    const next = typed.current.slice(0, from) + choice.insert + space + rest;
    caret.current = from + choice.insert.length + space.length;
    typed.current = next;
    setText(next);
    setAt(-1);
    // At once, not with the next drawing: the next key may come before it.
    const box = input.current!;
    box.value = next;
    box.focus();
    box.setSelectionRange(caret.current, caret.current);
  };

  const key = (event: KeyboardEvent) => {
    const list = open ? choices : [];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!open) return setOpen(true);
      if (list.length === 0) return;
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const places = list.length + 1; // that of no choice included, at the end
      setAt((i) => {
        const next = ((i < 0 ? list.length : i) + step + places) % places;
        return next === list.length ? -1 : next;
      });
    } else if (event.key === "Tab" && list.length > 0 && !event.shiftKey && text.trim() !== "") {
      event.preventDefault();
      take(list[Math.max(at, 0)]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (at >= 0 && list[at]) take(list[at]);
      else send(typed.current);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (open) setOpen(false);
      else input.current?.blur();
    }
  };

  const kept = searches.find((s) => s.page === page && s.q === q);
  const toggleKept = () => {
    const name = kept ? kept.name : window.prompt("Name of this search, which all users of this server get", (q || "everything").slice(0, 128))?.trim();
    if (!name) return;
    const change = kept ? { remove: [{ page, name }] } : { set: [{ page, name, q }] };
    share({ searches: change }).catch((error: Error) => window.alert(`That was not kept: ${error.message}`));
  };

  return (
    <form class="search" role="search" onSubmit={(e) => (e.preventDefault(), send(typed.current))}>
      <div class="search-box">
        <input
          ref={input} id="q" type="text" value={text} spellcheck={false} autocomplete="off" autocapitalize="off"
          role="combobox" aria-expanded={open && choices.length > 0} aria-controls="q-list" aria-autocomplete="list" aria-label="Filter"
          aria-activedescendant={at >= 0 ? `q-${at}` : undefined}
          placeholder={placeholder ?? "from:+1555* status:>=400 ip:10.0.0.0/8     (empty: everything)"}
          onInput={(e) => {
            caret.current = e.currentTarget.selectionStart ?? e.currentTarget.value.length;
            typed.current = e.currentTarget.value;
            setText(typed.current);
            setOpen(true);
          }}
          onClick={(e) => {
            caret.current = e.currentTarget.selectionStart ?? 0;
            setOpen(true);
          }}
          onKeyDown={key}
          onBlur={() => setTimeout(() => setOpen(false), 150)}
        />
        {text !== "" && <button type="button" class="plain clear" aria-label="Clear the filter" onClick={() => (setText(""), send(""))}>✕</button>}
        <ul id="q-list" role="listbox" aria-label="Suggestions" hidden={!open || choices.length === 0}>
          {choices.map((c, i) => (
            <li key={`${c.text} ${i}`} id={`q-${i}`} role="option" aria-selected={i === at}
              onPointerDown={(e) => (e.preventDefault(), take(c))}>
              <span class="choice"><Text text={c.text} /></span><span class="note"><Text text={c.note} /></span>
            </li>
          ))}
        </ul>
      </div>
      <button class="primary">Search</button>
      <button type="button" class="icon" aria-pressed={!!kept} aria-label={kept ? "Forget this search" : "Keep this search"}
        title={kept ? "Forget this search" : "Keep this search for all users"} onClick={toggleKept}>{kept ? "★" : "☆"}</button>
    </form>
  );
}
