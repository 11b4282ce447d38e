// The filter language (docs/filter.md), as far as one needs it to complete what somebody types.

import type { Field } from "./types";

export interface Token {
  kind: "word" | "open" | "close";
  from: number;
  to: number;
  text: string;
  colon: number; // place of the colon behind a field; -1: none
}

/** Cuts a filter into words and parentheses; never fails. */
export function tokens(text: string): Token[] {
  const out: Token[] = [];
  let i = 0;
  while (i < text.length) {
    const c = text[i];
    if (c === " ") {
      i++;
    } else if (c === "(" || c === ")") {
      out.push({ kind: c === "(" ? "open" : "close", from: i, to: i + 1, text: c, colon: -1 });
      i++;
    } else {
      const end = wordEnd(text, i);
      const word = text.slice(i, end.to);
      out.push({ kind: "word", from: i, to: end.to, text: word, colon: end.colon });
      i = end.to;
    }
  }
  return out;
}

function wordEnd(text: string, from: number): { to: number; colon: number } {
  let colon = -1;
  let i = from;
  while (i < text.length) {
    const c = text[i];
    const starts = colon >= 0 && (i === colon + 1 || text[i - 1] === ",");
    if (c === "\\") i += 2;
    else if (c === '"' || (c === "/" && starts)) i = quotedEnd(text, i);
    else if (c === " " || c === "(" || c === ")") break;
    else {
      if (c === ":" && colon < 0) colon = i;
      i++;
    }
  }
  return { to: Math.min(i, text.length), colon };
}

/** Behind the quote or slash that closes; the end of the text if none does. */
function quotedEnd(text: string, from: number): number {
  const close = text[from];
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === close) return i + 1;
  }
  return text.length;
}

export type Context =
  | { kind: "field"; from: number; to: number; prefix: string }
  | { kind: "value"; from: number; to: number; field: string; prefix: string };

/** Of which place a list of choices is: it is of no use at another one. */
export const placeOf = (context: Context): string => (context.kind === "value" ? `value of ${context.field}` : "field");

/** What is being typed at the caret. */
export function contextAt(text: string, caret: number): Context {
  const here = tokens(text).find((t) => t.kind === "word" && t.from < caret && caret <= t.to);
  if (!here) return { kind: "field", from: caret, to: caret, prefix: "" };
  if (here.colon < 0 || caret <= here.colon)
    return { kind: "field", from: here.from, to: here.colon < 0 ? here.to : here.colon, prefix: text.slice(here.from, caret) };
  const [from, to] = valueAround(text, here, caret);
  return { kind: "value", from, to, field: text.slice(here.from, here.colon).toLowerCase(), prefix: unquote(text.slice(from, caret)) };
}

/** The value of a list in which the caret is. */
function valueAround(text: string, word: Token, caret: number): [number, number] {
  let from = word.colon + 1;
  let i = from;
  while (i < word.to) {
    const c = text[i];
    if (c === "\\") i += 2;
    else if (c === '"') i = quotedEnd(text, i);
    else if (c === ",") {
      if (caret <= i) return [from, i];
      from = ++i;
    } else i++;
  }
  return [from, word.to];
}

function unquote(text: string): string {
  return text.replace(/^"/, "").replace(/"$/, "").replace(/\\(.)/g, "$1");
}

/** A value as it must be written to mean exactly itself. */
export function quote(value: string): string {
  if (value !== "" && /^[\p{L}\p{N}+@_.:;=#&$!~^[\]{}-]+$/u.test(value) && !/^[<>=]/.test(value) && !value.includes("..")) return value;
  return `"${value.replace(/["\\*]/g, "\\$&")}"`;
}

export interface Choice {
  text: string; // what stands in the list
  note: string;
  insert: string;
  from: number; // what it replaces
  to: number;
}

const WORDS: [string, string][] = [["NOT", "does not match"], ["OR", "one of both"], ["AND", "both; also without it"]];

/** Fields and words that begin, or else contain, what was typed. */
export function completeField(context: Context, fields: Field[]): Choice[] {
  if (context.kind !== "field") return [];
  const typed = context.prefix.toLowerCase();
  const rank = (f: Field) => {
    if (f.name.startsWith(typed)) return 0;
    if (f.aliases.some((a) => a.startsWith(typed))) return 1;
    return typed.length > 1 && (f.name.includes(typed) || f.description.toLowerCase().includes(typed)) ? 2 : 3;
  };
  const ranked = fields.map((f) => ({ f, r: rank(f) })).filter((x) => x.r < 3).sort((a, b) => a.r - b.r);
  const out = ranked.map(({ f }) => ({
    text: `${f.name}:`, note: f.description, insert: `${f.name}:`, from: context.from, to: context.to,
  }));
  const words = WORDS.filter(([w]) => typed !== "" && w.toLowerCase().startsWith(typed))
    .map(([w, note]) => ({ text: w, note, insert: `${w} `, from: context.from, to: context.to }));
  return [...out, ...words].slice(0, 12);
}

export function completeValue(context: Context, values: { value: string; count: number }[]): Choice[] {
  if (context.kind !== "value") return [];
  return values.map((v) => ({
    text: v.value, note: v.count.toLocaleString("en"), insert: quote(v.value), from: context.from, to: context.to,
  }));
}

/** Adds a test to a filter. */
export function addTest(filter: string, test: string): string {
  const has = filter.trim();
  if (has === "") return test;
  return `${/(^| )OR( |$)/.test(has) ? `(${has})` : has} ${test}`;
}

/** Place (characters) of an octet of UTF-8. */
export function charOfOctet(text: string, at: number): number {
  return new TextDecoder().decode(new TextEncoder().encode(text).slice(0, at)).length;
}
