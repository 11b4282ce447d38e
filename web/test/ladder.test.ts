import { describe, expect, it } from "vitest";

import { codecs, counterpart, layout, reorder, svg } from "../src/lib/ladder";
import { sip } from "./rows";

const OFFER = "audio PCMA/8000,PCMU/8000,telephone-event/8000 sendrecv ptime=20";

const call = [
  sip(0, "a", "b", { sdp_media: OFFER }), sip(1, "b", "a", { status: 100 }), sip(2, "b", "c", { call_id: "call-2", sdp_media: OFFER }),
  sip(900, "c", "b", { call_id: "call-2", status: 180 }), sip(901, "b", "a", { status: 180 }),
  sip(3000, "c", "b", { call_id: "call-2", status: 200, sdp_media: "audio PCMA/8000 sendrecv" }), sip(3001, "b", "a", { status: 200, sdp_media: "audio PCMA/8000 sendrecv" }),
  sip(3010, "a", "b", { method: "ACK" }), sip(9000, "a", "b", { method: "BYE", cseq: 2 }),
];

describe("layout", () => {
  it("has a lane for each host, in the order in which they speak", () => {
    const { lanes, steps, legs, total } = layout(call, { grouping: "port" });
    expect(lanes.map((l) => l.label)).toEqual(["10.0.0.1:5060", "10.0.0.2:5060", "10.0.0.3:5060"]);
    expect(steps.map((s) => [s.from, s.to])).toEqual([[0, 1], [1, 0], [1, 2], [2, 1], [1, 0], [2, 1], [1, 0], [0, 1], [0, 1]]);
    expect(legs).toEqual(["call", "call-2"]);
    expect(total).toBe(9);
  });

  it("tells times since the start and since the step before", () => {
    const { steps } = layout(call, { grouping: "ip", keep: (r) => r.method === "BYE" || r.status === 180 });
    expect(steps.map((s) => s.since)).toEqual([900_000, 901_000, 9_000_000]);
    expect(steps.map((s) => s.delta)).toEqual([0, 1000, 8_099_000]);
  });

  it("marks offers, answers, and the moments of a call", () => {
    const { steps } = layout(call, { grouping: "ip" });
    expect(steps.map((s) => s.sdp)).toEqual(["offer", "", "offer", "", "", "answer", "answer", "", ""]);
    expect(steps[0].codecs).toBe("PCMA, PCMU");
    expect(steps.filter((s) => s.mark).map((s) => s.mark)).toEqual(["PDD 0.90 s", "answered after 3.00 s", "talked 6.00 s"]);
  });

  it("joins hosts of one alias, and orders and hides lanes", () => {
    const alias = (ip?: string) => (ip === "10.0.0.2" || ip === "10.0.0.3" ? "sbc" : null);
    expect(layout(call, { grouping: "alias", alias }).lanes.map((l) => l.label)).toEqual(["10.0.0.1", "sbc"]);
    expect(layout(call, { grouping: "ip", order: ["10.0.0.3", "10.0.0.1"] }).lanes.map((l) => l.id)).toEqual(["10.0.0.3", "10.0.0.1", "10.0.0.2"]);
    const less = layout(call, { grouping: "ip", hidden: new Set(["10.0.0.3"]) });
    expect(less.steps).toHaveLength(6);
    expect(less.hidden.map((l) => l.id)).toEqual(["10.0.0.3"]);
  });

  it("tells what is sent again from what another tap saw", () => {
    const first = sip(0, "a", "b", {});
    const { steps } = layout([first, sip(100, "a", "b", { capture_id: 2 }), sip(600, "a", "b", {})], { grouping: "ip" });
    expect(steps.map((s) => s.again)).toEqual(["", "tap", "retransmission"]);
  });

  it("draws media between the lanes of their hosts, with the worst MOS of a report", () => {
    const rtcp = sip(5000, "a", "c", { table: "media", kind: "rtcp", src_port: 40001, dst_port: 50001, method: undefined });
    const report = (mos: number) => ({ ...rtcp, table: "quality", mos });
    const { lanes, steps } = layout([...call, rtcp], { grouping: "port", reports: [report(4.1), report(2.2)] });
    expect(lanes).toHaveLength(3);
    expect(steps[9]).toMatchObject({ from: 0, to: 2, mos: 2.2 });
  });

  it("keeps rows by leg", () => {
    expect(layout(call, { grouping: "ip", keep: (_, leg) => leg === 1 }).steps).toHaveLength(3);
  });

  it("is quick with 5,000 messages", () => {
    const many = Array.from({ length: 5000 }, (_, i) => sip(i, i % 2 ? "a" : "b", i % 2 ? "b" : "a", { cseq: i, method: "INFO" }));
    expect(layout(many, { grouping: "port" }).steps).toHaveLength(5000);
  });
});

describe("other parts of a ladder", () => {
  it("moves lanes", () => {
    const { lanes } = layout(call, { grouping: "ip" });
    expect(reorder(lanes, "10.0.0.3", "10.0.0.1")).toEqual(["10.0.0.3", "10.0.0.1", "10.0.0.2"]);
    expect(reorder(lanes, "10.0.0.1", null)).toEqual(["10.0.0.2", "10.0.0.3", "10.0.0.1"]);
  });

  it("finds what a message is compared with: the same at the hop before, or behind", () => {
    const { steps } = layout(call, { grouping: "ip" });
    expect(counterpart(steps, 2)).toBe(0);
    expect(counterpart(steps, 5)).toBe(6);
    expect(counterpart(steps, 8)).toBe(7);
    expect(counterpart([], 0)).toBe(-1);
  });

  it("reads codecs", () => {
    expect(codecs("audio opus/48000,G722/8000,PCMA/8000,PCMU/8000 sendonly")).toBe("opus, G722, PCMA +1 sendonly");
    expect(codecs(undefined)).toBe("");
  });

  it("draws a picture in which nothing of a message is markup", () => {
    const evil = layout([sip(0, "a", "b", { status: 200, reason: '<script>alert(1)</script>"&' })], { grouping: "ip" });
    const { text } = svg(evil, "UTC");
    expect(text).toContain("&lt;script&gt;");
    expect(text).not.toContain("<script");
  });
});
