// The range of times: quick ones, or two moments, in the time zone that was chosen.

import { useEffect, useMemo, useState } from "preact/hooks";

import { usePref } from "../lib/prefs";
import { fromWall, isZone, LOCAL, moment, offsetText, QUICK, rangeText, toIso, wall, type Range } from "../lib/time";
import { Menu } from "./bits";

const localName = Intl.DateTimeFormat().resolvedOptions().timeZone || "local";

function zones(): string[] {
  const known = (Intl as unknown as { supportedValuesOf?: (key: string) => string[] }).supportedValuesOf?.("timeZone") ?? [];
  return ["UTC", ...known.filter((z) => z !== "UTC")];
}

export function TimePicker({ range, set }: { range: Range; set: (range: Range) => void }) {
  const [zone, setZone] = usePref("zone");
  return (
    <Menu label={<span class="range-label">{rangeText(range, zone)}</span>} title="Time range">
      <div class="time-picker">
        <div class="quick" role="group" aria-label="Quick ranges">
          {QUICK.map(([from, name]) => (
            <button type="button" key={name} aria-pressed={range.to === "" && range.from === from} onClick={() => set({ from, to: "" })}>{name}</button>
          ))}
        </div>
        <Absolute range={range} set={set} zone={zone} />
        <label>Time zone
          <input list="zones" value={zone === LOCAL ? localName : zone} spellcheck={false}
            onChange={(e) => {
              const text = e.currentTarget.value.trim();
              if (text === "" || text === localName) setZone(LOCAL);
              else if (isZone(text)) setZone(text);
              else e.currentTarget.value = zone === LOCAL ? localName : zone;
            }} />
          <ZoneList />
        </label>
        <p class="note">{offsetText(Date.now(), zone)} now. Times of the answers are shown in this zone.</p>
      </div>
    </Menu>
  );
}

function ZoneList() {
  const all = useMemo(zones, []);
  return <datalist id="zones">{[localName, ...all].map((z) => <option key={z} value={z} />)}</datalist>;
}

function Absolute({ range, set, zone }: { range: Range; set: (range: Range) => void; zone: string }) {
  const show = (text: string) => {
    const us = text === "" ? NaN : moment(text, Date.now() * 1000);
    return Number.isNaN(us) ? "" : wall(us, zone).slice(0, 19);
  };
  const [from, setFrom] = useState(show(range.from));
  const [to, setTo] = useState(show(range.to));
  useEffect(() => {
    setFrom(show(range.from));
    setTo(show(range.to));
  }, [range.from, range.to, zone]);
  const a = from === "" ? null : fromWall(from, zone);
  const b = to === "" ? null : fromWall(to, zone);
  const bad = Number.isNaN(a) || Number.isNaN(b) ? "Write times as 2026-01-31 12:00:00." : a !== null && b !== null && a >= b ? "It ends before it begins." : "";
  return (
    <form class="absolute" onSubmit={(e) => {
      e.preventDefault();
      if (!bad) set({ from: a === null ? "" : toIso(a), to: b === null ? "" : toIso(b) });
    }}>
      <label>From<input value={from} placeholder="2026-01-31 12:00:00" onInput={(e) => setFrom(e.currentTarget.value)} /></label>
      <label>To<input value={to} placeholder="now" onInput={(e) => setTo(e.currentTarget.value)} /></label>
      <button disabled={bad !== ""}>Apply</button>
      {bad && <p class="note bad" role="alert">{bad}</p>}
    </form>
  );
}
