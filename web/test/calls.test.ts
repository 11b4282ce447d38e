import { describe, expect, it } from "vitest";

import { csv, lookOfMos } from "../src/lib/call";
import { diff } from "../src/lib/diff";
import { stepOf } from "../src/lib/kpi";
import { align, figures, streams } from "../src/lib/media";
import { sipp } from "../src/lib/sipp";
import { groups, quantile, spread } from "../src/lib/spread";
import type { Row } from "../src/lib/types";
import { sip } from "./rows";

describe("CSV", () => {
  it("quotes, and lets no spreadsheet compute", () => {
    const row = { ...sip(0, "a", "b", {}), from_user: 'a "b", c', to_user: "=1+1", ruri_user: "+4930123", reason: "-x" };
    expect(csv([row], ["from_user", "to_user", "ruri_user", "reason", "codec"])).toBe('from_user,to_user,ruri_user,reason,codec\r\n"a ""b"", c",\'=1+1,+4930123,\'-x,\r\n');
  });
});

describe("media", () => {
  const report = (ms: number, heard: string, mos?: number): Row => ({ ...sip(ms, "a", "b", {}), table: "quality", heard_by: heard, ssrc: 1, report: "rtcp", mos });
  const list = streams([report(5000, "caller", 4.2), report(0, "caller", 3.0), report(5000, "callee", 4.4)]);

  it("is streams by direction, in the order of time", () => {
    expect(list.map((s) => [s.heardBy, s.reports.map((r) => r.mos)])).toEqual([["callee", [4.4]], ["caller", [3.0, 4.2]]]);
    expect(figures(list[1], "mos")).toEqual({ least: 3, mean: 3.6, most: 4.2 });
    expect(figures(list[1], "loss")).toBeNull();
  });

  it("has one axis of time", () => {
    const { times, values } = align(list, "mos");
    expect(times[1] - times[0]).toBe(5);
    expect(values).toEqual([[null, 4.4], [3.0, 4.2]]);
  });
});

describe("figures", () => {
  it("spread over classes", () => {
    expect(spread([0, 1, 1.5, 2, 9], [1, 2], " %").map((b) => [b.label, b.count])).toEqual([["below 1 %", 1], ["1 – 2 %", 2], ["2 % and more", 2]]);
    expect(quantile([3, 1, 2, 4], 0.5)).toBe(2);
    expect(quantile([], 0.5)).toBeNull();
    expect(groups([{ name: "a", value: 4 }, { name: "b", value: 2 }, { name: "b", value: 4 }], 3.6).map((g) => [g.name, g.count, g.poor])).toEqual([["b", 2, 0.5], ["a", 1, 0]]);
  });

  it("have a colour and a shape", () => {
    expect([4.2, 3.7, 2].map((m) => lookOfMos(m).tone)).toEqual(["good", "fair", "poor"]);
    expect(new Set([4.2, 3.7, 2].map((m) => lookOfMos(m).shape)).size).toBe(3);
  });

  it("are some dozen points a line, of round steps", () => {
    expect([30, 60, 3600, 86400, 7 * 86400, 365 * 86400].map(stepOf)).toEqual([1, 1, 60, 1800, 10800, 7 * 86400]);
    for (let seconds = 1; seconds < 1e9; seconds *= 1.7) {
      expect(seconds / stepOf(seconds)).toBeLessThanOrEqual(60);
      expect(Number.isInteger(stepOf(seconds))).toBe(true);
    }
  });
});

describe("SIPp", () => {
  const text = (start: string) => `${start}\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: call\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n`;

  it("sends what the caller sent and awaits what it got", () => {
    const rows = [
      sip(0, "a", "b", { payload: text("INVITE sip:b@x SIP/2.0") }), sip(1, "b", "c", { call_id: "other", payload: text("INVITE sip:b@x SIP/2.0") }),
      sip(5, "b", "a", { status: 180, payload: text("SIP/2.0 180 Ringing") }), sip(9, "b", "a", { status: 200, payload: text("SIP/2.0 200 OK") }),
      sip(12, "a", "b", { method: "ACK", payload: text("ACK sip:b@x SIP/2.0") }), sip(4012, "b", "a", { method: "BYE", cseq: 2, payload: text("BYE sip:a@x SIP/2.0") }),
      sip(4015, "a", "b", { method: "BYE", cseq: 2, status: 200, payload: text("SIP/2.0 200 OK ]]>") }),
    ];
    const made = sipp(rows)!;
    expect(made.match(/<(send|recv)[^>]*>/g)).toEqual(['<send retrans="500">', '<recv response="180" optional="true"/>', '<recv response="200" rrs="true"/>', "<send>", '<recv request="BYE"/>', "<send>"]);
    expect(made).toContain("Call-ID: [call_id]");
    expect(made).toContain("[last_To:]");
    expect(made).not.toContain("Call-ID: call\n");
    expect(made).toContain("]]]]><![CDATA[>");
  });

  it("needs an INVITE", () => expect(sipp([sip(0, "a", "b", { method: "OPTIONS" })])).toBeNull());
});

describe("diff", () => {
  it("shows what differs within a line", () => {
    const lines = diff("A: 1\nB: x", "A: 1\nB: y\nC: 2");
    expect(lines.map((l) => l.kind)).toEqual(["same", "changed", "right"]);
  });
});
