import { describe, expect, it } from "vitest";

import { fromWall, isZone, micros, moment, offsetText, rangeText, toIso, wall, wallTime } from "../src/lib/time";

const us = (iso: string) => micros(iso);

describe("times of the API", () => {
  it("keep their microseconds both ways", () => {
    for (const text of ["2026-01-31T12:00:00.123456Z", "1970-01-01T00:00:00.000001Z", "2199-12-31T23:59:59.999999Z"]) expect(toIso(us(text))).toBe(text);
    expect(us("2026-01-31T12:00:00Z")).toBe(us("2026-01-31T12:00:00.000000Z"));
    expect(us("2026-01-31T12:00:00.5Z") - us("2026-01-31T12:00:00Z")).toBe(500_000);
  });
});

describe("time zones", () => {
  it("show what the clock on the wall shows, summer and winter", () => {
    expect(wall(us("2026-01-31T12:00:00.123456Z"), "Europe/Berlin")).toBe("2026-01-31 13:00:00.123456");
    expect(wall(us("2026-07-31T12:00:00.000000Z"), "Europe/Berlin")).toBe("2026-07-31 14:00:00.000000");
    expect(wall(us("2026-01-31T12:00:00Z"), "Asia/Kathmandu")).toBe("2026-01-31 17:45:00.000000");
    expect(wall(us("2026-01-01T00:30:00Z"), "America/St_Johns")).toBe("2025-12-31 21:00:00.000000");
    expect(wallTime(us("2026-01-31T12:00:00.123456Z"), "UTC", 0)).toBe("12:00:00");
  });

  it("change at the moment when clocks change", () => {
    expect(wall(us("2026-03-29T00:59:59Z"), "Europe/Berlin").slice(11, 19)).toBe("01:59:59");
    expect(wall(us("2026-03-29T01:00:00Z"), "Europe/Berlin").slice(11, 19)).toBe("03:00:00");
  });

  it("read what somebody types; an hour that is twice is the first, one that is not there lies behind the gap", () => {
    expect(toIso(fromWall("2026-01-31 13:00:00.5", "Europe/Berlin"))).toBe("2026-01-31T12:00:00.500000Z");
    expect(toIso(fromWall("2026-10-25 02:30", "Europe/Berlin"))).toBe("2026-10-25T00:30:00.000000Z");
    expect(toIso(fromWall("2026-03-29 02:30", "Europe/Berlin"))).toBe("2026-03-29T01:30:00.000000Z");
    for (const bad of ["", "yesterday", "2026-02-30 12:00", "2026-01-31 24:30"]) expect(fromWall(bad, "UTC")).toBeNaN();
  });

  it("come back to where they were", () => {
    for (const zone of ["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham"])
      for (const month of ["01", "04", "07", "10"]) {
        const t = us(`2026-${month}-15T08:09:10.123456Z`);
        expect(fromWall(wall(t, zone), zone)).toBe(t);
      }
  });

  it("are told by their offset", () => {
    expect(offsetText(Date.UTC(2026, 0, 1), "UTC")).toBe("UTC");
    expect(offsetText(Date.UTC(2026, 0, 1), "America/St_Johns")).toBe("−03:30");
    expect(isZone("Europe/Berlin")).toBe(true);
    expect(isZone("Europe/Nowhere")).toBe(false);
  });
});

describe("ranges", () => {
  it("are relative or absolute", () => {
    expect(moment("-1h30m", 10_000e6)).toBe(10_000e6 - 5400e6);
    expect(moment("now", 5)).toBe(5);
    expect(moment("-soon", 5)).toBeNaN();
  });

  it("have words", () => {
    expect(rangeText({ from: "-1h", to: "" }, "UTC")).toBe("Last 1 hour");
    expect(rangeText({ from: "", to: "" }, "UTC")).toBe("All time");
    expect(rangeText({ from: "2026-01-31T12:00:00Z", to: "" }, "Europe/Berlin")).toBe("2026-01-31 13:00:00 – now");
  });
});
