// A SIP message as somebody reads it: parts to colour, tokens of Identity.

export type Paint = "start" | "name" | "value" | "sdp" | "body" | "key";

export interface PaintedLine {
  parts: { text: string; paint: Paint }[];
}

/** Lines of a message with what is what in them. Line ends are gone, other control characters are not. */
export function paint(payload: string, sip: boolean): PaintedLine[] {
  const lines = payload.split("\n").map((l) => (l.endsWith("\r") ? l.slice(0, -1) : l));
  if (lines[lines.length - 1] === "") lines.pop();
  if (!sip) return lines.map((text) => ({ parts: [{ text, paint: "body" }] }));
  let head = true;
  return lines.map((text, i) => {
    if (head && text === "" && i > 0) head = false;
    if (i === 0) return { parts: [{ text, paint: "start" }] };
    if (head) {
      const name = /^[A-Za-z0-9.!%*_+`'~-]+[ \t]*:/.exec(text);
      return name
        ? { parts: [{ text: name[0], paint: "name" }, { text: text.slice(name[0].length), paint: "value" }] }
        : { parts: [{ text, paint: "value" }] };
    }
    const line = /^([a-z])=/.exec(text);
    return line
      ? { parts: [{ text: line[0], paint: "key" }, { text: text.slice(2), paint: "sdp" }] }
      : { parts: [{ text, paint: "body" }] };
  });
}

export interface Jwt {
  header: unknown;
  claims: unknown;
}

/** Header and claims of a token (RFC 7519; PASSporT, RFC 8225), which are not verified; null if it is none. */
export function jwt(value: string): Jwt | null {
  const m = /^\s*([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*/.exec(value);
  if (!m) return null;
  const part = (text: string): unknown => {
    const octets = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets));
  };
  try {
    return { header: part(m[1]), claims: part(m[2]) };
  } catch {
    return null;
  }
}

/** Octets of base64, as a hex dump. */
export function hexdump(base64: string, most = 4096): string {
  const text = atob(base64);
  const lines: string[] = [];
  for (let i = 0; i < Math.min(text.length, most); i += 16) {
    const row = [...text.slice(i, i + 16)].map((c) => c.charCodeAt(0));
    const hex = row.map((c) => c.toString(16).padStart(2, "0")).join(" ");
    const ascii = row.map((c) => (c >= 0x20 && c < 0x7f ? String.fromCharCode(c) : ".")).join("");
    lines.push(`${i.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${ascii}`);
  }
  if (text.length > most) lines.push(`… ${text.length - most} octets more`);
  return lines.join("\n");
}
