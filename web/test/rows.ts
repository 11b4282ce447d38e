// Rows as the API gives them, for tests.

import type { Row } from "../src/lib/types";

const BASE = Date.UTC(2026, 0, 31, 12);

/** A SIP message from one of the hosts a, b, c to another, so many milliseconds after noon. */
export function sip(ms: number, from: string, to: string, more: Partial<Row>): Row {
  const at = new Date(BASE + ms).toISOString().replace("Z", "000Z");
  const ip = (name: string) => `10.0.0.${name.charCodeAt(0) - 96}`;
  return {
    table: "sip", ts: at, seq: ms, src_ip: ip(from), src_port: 5060, dst_ip: ip(to), dst_port: 5060, call_id: "call", cseq: 1, method: "INVITE",
    branch: `z9hG4bK${from}${to}`, sender: "s", capture_id: 1, payload_len: 400, ...more,
  };
}
