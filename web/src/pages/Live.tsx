// Messages as they come.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { Problem } from "../lib/api";
import type { LiveState } from "../lib/hub";
import { follow } from "../lib/live";
import { remember, usePref } from "../lib/prefs";
import { useAliases } from "../lib/shared";
import { number } from "../lib/text";
import type { Row } from "../lib/types";
import { go, href } from "../lib/url";
import { useKeys, usePhone, Wrong } from "../ui/bits";
import { MessagePanel } from "../ui/MessagePanel";
import { rowId } from "../ui/Results";
import { SearchBar } from "../ui/SearchBar";
import { Table } from "../ui/Table";
import { callOf, messageColumns, openCallOf, ROWS } from "./Messages";
import type { PageProps } from "./page";

const MOST = 5000; // rows kept; older ones go

export function Live({ place: at }: PageProps) {
  const q = at.params.q ?? "";
  const phone = usePhone();
  const [zone] = usePref("zone");
  const aliases = useAliases();
  const [rows, setRows] = useState<Row[]>([]);
  const [seen, setSeen] = useState(0);
  const [skipped, setSkipped] = useState({ count: 0, exact: true });
  const [state, setState] = useState<LiveState>({ state: "connecting" });
  const [paused, setPaused] = useState(false);
  const [waiting, setWaiting] = useState(0);
  const [chosen, setChosen] = useState<string | null>(null);
  const held = useRef<Row[]>([]);
  const hold = useRef(false);
  hold.current = paused;

  useEffect(() => {
    setRows([]);
    setSeen(0);
    setSkipped({ count: 0, exact: true });
    setWaiting(0);
    held.current = [];
    setState({ state: "connecting" });
    return follow({ q, columns: ROWS }, (news) => {
      if (news.kind === "state") return setState(news.state);
      if (news.kind === "skipped") return setSkipped((s) => ({ count: s.count + news.count, exact: s.exact && news.exact }));
      const come = news.rows.map((r) => JSON.parse(r) as Row).reverse();
      setSeen((n) => n + come.length);
      if (hold.current) {
        held.current = [...come, ...held.current].slice(0, MOST);
        setWaiting(held.current.length);
      } else setRows((old) => [...come, ...old].slice(0, MOST));
    });
  }, [q]);

  const resume = () => {
    setRows((old) => [...held.current, ...old].slice(0, MOST));
    held.current = [];
    setWaiting(0);
    setPaused(false);
  };
  const toggle = () => (paused ? resume() : setPaused(true));
  const clear = () => {
    setRows([]);
    held.current = [];
    setWaiting(0);
  };

  const columns = useMemo(() => {
    const names = ["time", "message", "from", "to", "source", "destination", "call"];
    return messageColumns(zone, false, (ip, port) => aliases.name(ip, port)).filter((c) => (phone ? c.phone : names.includes(c.key))).map((c) => ({ ...c, sort: undefined }));
  }, [zone, aliases, phone]);
    const index = chosen === null ? -1 : rows.findIndex((r) => rowId(r) === chosen);
  const row = rows[index];
  const choose = (i: number) => {
    setPaused(true); // what is looked at must not move away
    setChosen(rows[i] ? rowId(rows[i]) : null);
  };
  const open = (i: number) => openCallOf(rows[i]);
  useKeys((key) => {
    if (key === " ") return toggle(), true;
    if (key === "Escape" && row) return setChosen(null), true;
    if ((key === "j" || key === "k") && rows.length > 0) return choose(Math.min(Math.max(index + (key === "j" ? 1 : -1), 0), rows.length - 1)), true;
    if (key === "Enter" && row) return open(index), true;
  });

  const words = { connecting: "Connecting…", open: rows.length === 0 ? "Waiting for messages" : "Live", lost: "The stream ended; connecting again…", refused: "Refused" };
  return (
    <div class="page">
      <div class="bar">
        <SearchBar page="live" q={q} range={{ from: "-1h", to: "" }} submit={(text) => (remember(text), go("live", { q: text }))} />
      </div>
      {state.state === "refused" && <Wrong error={new Problem(state.problem ?? {}, 0)} filter={q} />}
      <div class="status" role="status">
        <span class={`beacon ${state.state}${paused ? " paused" : ""}`} aria-hidden="true" />
        <span>{paused ? `Paused, ${number(waiting)} waiting` : words[state.state]} · {number(seen)} messages
          {skipped.count > 0 || !skipped.exact ? <span class="warn"> · {skipped.exact ? "" : "at least "}{number(skipped.count)} passed over</span> : null}</span>
        <span class="grow" />
        <button type="button" class="small" aria-pressed={paused} onClick={toggle} title="Space">{paused ? "Go on" : "Pause"}</button>
        <button type="button" class="small" onClick={clear}>Clear</button>
        <a class="button small" href={href("messages", { q, from: "-15m" })}>Search</a>
      </div>
      <div class={`split${row ? " open" : ""}`}>
        <Table rows={rows} columns={columns} id={rowId} label="Live messages" chosen={index} choose={choose} open={open}
          empty={state.state === "open" && <div class="nothing"><p>Nothing has come yet.</p><a class="button" href={href("senders")}>Why do I see nothing?</a></div>} />
        {row && <aside><MessagePanel row={row} close={() => setChosen(null)} previous={index > 0 ? () => choose(index - 1) : undefined}
          next={index < rows.length - 1 ? () => choose(index + 1) : undefined}
          extra={callOf(row) && <a class="button primary small" href={href("call", { id: callOf(row), m: rowId(row) })}>Call</a>} /></aside>}
      </div>
    </div>
  );
}
