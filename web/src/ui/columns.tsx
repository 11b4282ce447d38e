// Cells that tables have in common.

import { place } from "../lib/text";
import { micros, wall, wallTime } from "../lib/time";
import type { Row } from "../lib/types";
import { Text } from "./bits";
import type { AliasOf } from "./Results";
import type { Column } from "./Table";

/** An address, or its name with the address behind it. */
export function End({ alias, ip, port }: { alias: AliasOf; ip?: string; port?: number }) {
  const name = alias(ip, port);
  return name ? <span title={place(ip, port)}><Text text={name} /></span> : <Text text={place(ip, port)} />;
}

export function timeColumn(zone: string, days: boolean): Column<Row> {
  const clock = (us: number) => (days ? wall(us, zone).slice(5, 23) : wallTime(us, zone, 3));
  return {
    key: "time", title: "Time", width: days ? "176px" : "116px", phone: true, class: "mono", sort: (r) => r.ts,
    cell: (r) => <time title={wall(micros(r.ts), zone)}>{clock(micros(r.ts))}</time>,
  };
}

/** Addresses of sender and receiver. */
export function endColumns(alias: AliasOf): Column<Row>[] {
  const end = (key: string, title: string, of: (r: Row) => [string | undefined, number | undefined]): Column<Row> => ({
    key, title, width: "minmax(150px, 1.2fr)", sort: (r) => place(...of(r)), cell: (r) => <End alias={alias} ip={of(r)[0]} port={of(r)[1]} />,
  });
  return [end("source", "Source", (r) => [r.src_ip, r.src_port]), end("destination", "Destination", (r) => [r.dst_ip, r.dst_port])];
}

/** A column of plain text. */
export function textColumn(key: string, title: string, width: string, of: (r: Row) => string | undefined, more: Partial<Column<Row>> = {}): Column<Row> {
  return { key, title, width, sort: of, cell: (r) => <Text text={of(r) ?? ""} />, ...more };
}

/** A column of figures. */
export function numberColumn(key: string, title: string, width: string, of: (r: Row) => number | undefined, show: (n: number) => string = String): Column<Row> {
  return { key, title, width, sort: of, class: "right", cell: (r) => { const n = of(r); return n === undefined ? "" : show(n); } };
}
