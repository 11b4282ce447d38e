// A call as a scenario of SIPp: what one side sent is sent again, what it got is awaited.

import { micros } from "./time";
import type { Row } from "./types";

const place = (ip?: string, port?: number): string => `${ip}:${port}`;

/** Messages of one leg between the caller and the first hop, once each. */
function oneHop(rows: Row[]): { rows: Row[]; caller: string } | null {
  const first = rows.find((r) => r.table === "sip" && r.method === "INVITE" && r.status === undefined);
  if (!first) return null;
  const [caller, hop] = [place(first.src_ip, first.src_port), place(first.dst_ip, first.dst_port)];
  const seen = new Set<string>();
  const kept = rows.filter((r) => {
    const ends = [place(r.src_ip, r.src_port), place(r.dst_ip, r.dst_port)];
    if (r.table !== "sip" || r.call_id !== first.call_id || !ends.includes(caller) || !ends.includes(hop)) return false;
    const key = [ends[0], r.method, r.status, r.cseq, r.branch].join(" ");
    return !seen.has(key) && seen.add(key) !== undefined;
  });
  return { rows: kept, caller };
}

const escape = (text: string): string => text.replace(/]]>/g, "]]]]><![CDATA[>").replace(/\r\n?/g, "\n").trimEnd();

/** What SIPp fills in stands in brackets; dialogs that a run makes have tags and Call-IDs of their own. */
function template(payload: string, request: boolean): string {
  const [head, body = ""] = payload.split(/\r?\n\r?\n/, 2);
  const lines = head.split(/\r?\n/).filter((l) => !/^(content-length|l|record-route)\s*:/i.test(l));
  const out: string[] = [];
  let vias = 0;
  for (const line of lines) {
    if (/^(via|v)\s*:/i.test(line)) {
      if (vias++ > 0) continue;
      out.push(request ? "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]" : "[last_Via:]");
    } else if (/^(call-id|i)\s*:/i.test(line)) out.push("Call-ID: [call_id]");
    else if (/^(contact|m)\s*:/i.test(line)) out.push("Contact: <sip:[service]@[local_ip]:[local_port];transport=[transport]>");
    else if (/^(from|f)\s*:/i.test(line)) out.push(request ? line.replace(/;tag=[^;>\s]+/i, ";tag=[pid]SIPp[call_number]") : "[last_From:]");
    else if (/^(to|t)\s*:/i.test(line)) out.push(request ? line.replace(/;tag=[^;>\s]+/i, "[peer_tag_param]") : "[last_To:]");
    else out.push(line);
  }
  const sdp = body.replace(/^(c=IN) IP[46] \S+/gm, "$1 IP[media_ip_type] [media_ip]");
  return escape(`${out.join("\n")}\nContent-Length: [len]\n\n${sdp}`);
}

/** The scenario, from messages with their payloads; null without an INVITE. */
export function sipp(rows: Row[]): string | null {
  const leg = oneHop(rows);
  if (!leg) return null;
  const steps: string[] = [];
  let before: number | null = null;
  for (const r of leg.rows) {
    if (typeof r.payload !== "string" || r.payload_encoding) continue;
    const sends = place(r.src_ip, r.src_port) === leg.caller;
    const at = micros(r.ts);
    const rest = before === null ? 0 : Math.round((at - before) / 1000);
    if (sends && r.status === undefined && r.method === "BYE" && rest > 0) steps.push(`  <pause milliseconds="${Math.min(rest, 600_000)}"/>`);
    before = at;
    if (sends) steps.push(`  <send${r.method === "ACK" || r.status !== undefined ? "" : ' retrans="500"'}>\n<![CDATA[\n${template(r.payload, r.status === undefined)}\n]]>\n  </send>`);
    else if (r.status === undefined) steps.push(`  <recv request="${r.method}"/>`);
    else steps.push(`  <recv response="${r.status}"${r.status < 200 ? ' optional="true"' : r.method === "INVITE" ? ' rrs="true"' : ""}/>`);
  }
  return `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="a call from hepcat">\n${steps.join("\n")}\n</scenario>\n`;
}
