// Messages: every one of them, whatever it belongs to.

import { addTest, quote } from "../lib/filter";
import { party, title, tone } from "../lib/text";
import type { Row } from "../lib/types";
import { go, href } from "../lib/url";
import { Text } from "../ui/bits";
import { endColumns, numberColumn, textColumn, timeColumn } from "../ui/columns";
import { MessagePanel } from "../ui/MessagePanel";
import { Results, rowId, type AliasOf, type ResultKind } from "../ui/Results";
import type { Column } from "../ui/Table";
import type { PageProps } from "./page";

export const ROWS = "ts,seq,src_ip,src_port,dst_ip,dst_port,proto,method,status,reason,cseq,from_user,from_host,to_user,to_host,ruri_user," +
  "ruri_host,call_id,correlation_id,kind,payload_len,parse_error,user_agent,node,sender,flags";

export function messageColumns(zone: string, days: boolean, alias: AliasOf): Column<Row>[] {
  return [
    timeColumn(zone, days),
    { key: "message", title: "Message", width: "minmax(130px, 1.1fr)", phone: true, sort: title,
      cell: (r) => <span class={`what ${tone(r)}`} title={r.parse_error && `malformed: ${r.parse_error}`}><Text text={title(r)} />{r.parse_error && " ⚠"}</span> },
    textColumn("from", "From", "minmax(120px, 1.4fr)", (r) => party(r.from_user, r.from_host), { phone: true }),
    textColumn("to", "To", "minmax(120px, 1.4fr)", (r) => party(r.to_user, r.to_host), { phone: true }),
    ...endColumns(alias),
    textColumn("proto", "Over", "56px", (r) => r.proto?.toUpperCase()),
    textColumn("call", "Call-ID", "minmax(120px, 1.3fr)", (r) => r.call_id ?? r.correlation_id, { class: "dim" }),
    textColumn("ruri", "Request-URI", "minmax(120px, 1.2fr)", (r) => party(r.ruri_user, r.ruri_host)),
    textColumn("agent", "Program", "minmax(110px, 1fr)", (r) => r.user_agent),
    textColumn("node", "Node", "90px", (r) => r.node),
    numberColumn("length", "Octets", "70px", (r) => r.payload_len),
  ];
}

const statusColour = (value: string): string =>
  /^[1-6]xx/.test(value) ? `s${Math.min(Number(value[0]), 5)}` : value === "request" || value === "" ? "request" : value === "other" ? "other" : "media";

const MESSAGES: ResultKind = {
  page: "messages", path: "api/v1/search", of: "messages", title: "Messages", one: "message", ask: ROWS, by: "status_class", colour: statusColour,
  columns: messageColumns, preset: ["time", "message", "from", "to", "source", "destination", "call"], chosen: "columns",
  rowClass: (r) => (r.parse_error ? "malformed" : ""),
};

export const callOf = (r: Row): string | undefined => r.call_id ?? r.correlation_id;

/** Goes to the call of a message. */
export function openCallOf(r: Row | undefined): void {
  const id = r && callOf(r);
  if (id) go("call", { id, m: rowId(r) });
}

/** Messages that are about none of the calls and registrations. */
const QUICK: [string, string][] = [
  ["Everything", ""], ["MESSAGE", "method:MESSAGE"], ["OPTIONS", "method:OPTIONS"], ["SUBSCRIBE, NOTIFY", "method:SUBSCRIBE,NOTIFY,PUBLISH"],
  ["Malformed", "error:*"], ["RTCP", "type:rtcp"], ["Logs", "type:log"],
];

export function Messages({ place: { params: p } }: PageProps) {
  const q = p.q ?? "";
  return (
    <Results kind={MESSAGES} params={p} open={openCallOf}
      tools={<>
        <label class="inline quick-kinds"><span class="sr">Kind</span><select value={QUICK.some(([, f]) => f === q) ? q : "…"} onChange={(e) => go("messages", { ...p, q: e.currentTarget.value, m: undefined })}>
          {!QUICK.some(([, f]) => f === q) && <option value="…" disabled>Kind</option>}
          {QUICK.map(([name, f]) => <option key={name} value={f}>{name}</option>)}
        </select></label>
        <a class="button" href={href("live", { q })}>Live</a>
      </>}
      exports={(file) => <>
        <a href={file("pcap")} download>pcap of these messages</a>
        <a href={file("pcapng", { calls: "1", legs: "1" })} download>pcapng of their whole calls</a>
        <a href={file("text")} download>text</a>
        <a href={file("csv")} download>CSV</a>
        <a href={file("jsonl")} download>JSON lines</a>
      </>}
      beside={(row, { close, previous, next, narrow }) => (
        <MessagePanel row={row} close={close} previous={previous} next={next} extra={callOf(row) && <>
          <a class="button primary small" href={href("call", { id: callOf(row), m: rowId(row) })}>Call</a>
          {row.from_user && <button type="button" class="small" onClick={() => narrow(addTest(q, `user:${quote(row.from_user!)}`))}>+ caller</button>}
        </>} />
      )} />
  );
}
