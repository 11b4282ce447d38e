// Small parts that all pages use.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { isAbort, Lost, Problem } from "../lib/api";
import { charOfOctet } from "../lib/filter";
import { copy } from "../lib/save";
import { pieces } from "../lib/text";

/** A text of a message: characters that would not show, or deceive, are marked. */
export function Text({ text }: { text: string }) {
  const parts = pieces(text);
  if (parts.length === 1 && !parts[0].mark) return <>{text}</>;
  return <>{parts.map((p) => (p.mark ? <span class="hidden-char" title={`character ${p.mark}`}>{p.mark}</span> : p.text))}</>;
}

export interface Answer<T> {
  data: T | null; // the last one, while another is asked for
  error: unknown;
  busy: boolean;
  ms: number;
}

/** Asks when the key changes; the answer of a former key stays until the new one is there. */
export function useAsk<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Answer<T> & { again: () => void } {
  const [state, set] = useState<Answer<T>>({ data: null, error: null, busy: true, ms: 0 });
  const [round, next] = useState(0);
  useLayoutEffect(() => { // the question is on its way while the page is painted
    const stop = new AbortController();
    const began = performance.now();
    set((s) => (s.busy ? s : { ...s, busy: true }));
    load(stop.signal).then(
      (data) => !stop.signal.aborted && set({ data, error: null, busy: false, ms: performance.now() - began }),
      (error) => !stop.signal.aborted && !isAbort(error) && set((s) => ({ ...s, error, busy: false })),
    );
    return () => stop.abort();
  }, [key, round]);
  return { ...state, again: () => next((n) => n + 1) };
}

/** What went wrong; a mistake in a filter stands under its place. */
export function Wrong({ error, filter, again }: { error: unknown; filter?: string; again?: () => void }) {
  if (!error) return null;
  const body = error instanceof Problem ? error.body : null;
  const at = body?.parameter === "q" && body.at !== undefined && filter !== undefined ? charOfOctet(filter, body.at) : -1;
  return (
    <div class="wrong" role="alert">
      {at >= 0 && filter
        ? <pre>{filter}{"\n"}{" ".repeat(at)}^ {body!.detail}</pre>
        : <span>{error instanceof Error ? sentence(error.message) : "something went wrong"}</span>}
      {again && !(at >= 0) && <button type="button" onClick={again}>{error instanceof Lost ? "Try again" : "Ask again"}</button>}
    </div>
  );
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, set] = useState(false);
  return (
    <button type="button" class="small" onClick={async () => {
      set(await copy(text));
      setTimeout(() => set(false), 1500);
    }}>{done ? "Copied" : label}</button>
  );
}

/** A button with a list of things to do. */
export function Menu({ label, title, children }: { label: ComponentChildren; title?: string; children: ComponentChildren }) {
  const [open, set] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const away = (event: Event) => !box.current?.contains(event.target as Node) && set(false);
    const key = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      set(false);
      box.current?.querySelector("button")?.focus();
    };
    document.addEventListener("pointerdown", away);
    document.addEventListener("keydown", key, true);
    return () => {
      document.removeEventListener("pointerdown", away);
      document.removeEventListener("keydown", key, true);
    };
  }, [open]);
  return (
    <div class="menu" ref={box}>
      <button type="button" aria-expanded={open} title={title} onClick={() => set(!open)}>{label} <span aria-hidden="true">▾</span></button>
      {open && <div class="menu-list" onClick={(e) => (e.target as Element).closest("a,button") && set(false)}>{children}</div>}
    </div>
  );
}

/** A window above the page that keeps the keyboard. */
export function Dialog({ title, close, children, wide }: { title: string; close: () => void; children: ComponentChildren; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current!;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return (
    <dialog ref={ref} class={wide ? "wide" : ""} aria-label={title} onCancel={(e) => (e.preventDefault(), close())}
      onClick={(e) => e.target === ref.current && close()}>
      <header><h2>{title}</h2><button type="button" class="plain" aria-label="Close" onClick={close}>✕</button></header>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

function useMedia(text: string): boolean {
  const [matches, set] = useState(() => matchMedia(text).matches);
  useEffect(() => {
    const list = matchMedia(text);
    const changed = () => set(list.matches);
    list.addEventListener("change", changed);
    return () => list.removeEventListener("change", changed);
  }, [text]);
  return matches;
}

export const usePhone = () => useMedia("(max-width: 700px)");

/** Keys of a page, while nothing is typed. */
export function useKeys(handle: (key: string, event: KeyboardEvent) => boolean | void): void {
  const latest = useRef(handle);
  latest.current = handle;
  useEffect(() => {
    const on = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (target.closest("input,textarea,select,dialog,[contenteditable]")) return;
      if (event.key === "Enter" && target.closest("a,button,summary")) return;
      if (latest.current(event.key, event)) event.preventDefault();
    };
    document.addEventListener("keydown", on);
    return () => document.removeEventListener("keydown", on);
  }, []);
}

export function Facts({ list }: { list: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {list.filter(([, value]) => value !== undefined && value !== "" && value !== null).map(([name, value]) => (
        <><dt>{name}</dt><dd>{typeof value === "string" ? <Text text={value} /> : value}</dd></>
      ))}
    </dl>
  );
}

