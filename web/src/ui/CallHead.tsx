// Who called whom, how it came out, and what can be taken away from it.

import type { ComponentChildren } from "preact";

import { address, ask } from "../lib/api";
import { quote } from "../lib/filter";
import { codecs, svg, type Ladder } from "../lib/ladder";
import { png, save } from "../lib/save";
import { sipp } from "../lib/sipp";
import { party, span, title } from "../lib/text";
import { micros, wall } from "../lib/time";
import type { FlowAnswer, Row } from "../lib/types";
import { href } from "../lib/url";
import { Copy, Menu, Text } from "./bits";

export function CallHead({ id, rows, zone, children }: { id: string; rows: Row[]; zone: string; children: ComponentChildren }) {
  const first = rows.find((r) => r.method === "INVITE" && r.status === undefined) ?? rows.find((r) => r.table === "sip") ?? rows[0];
  const final = [...rows].reverse().find((r) => r.method === first?.method && (r.status ?? 0) >= 200);
  const length = rows.length > 1 ? micros(rows[rows.length - 1].ts) - micros(rows[0].ts) : 0;
  const answer = rows.find((r) => r.status !== undefined && r.status < 300 && r.sdp_media);
  return (
    <header class="call-head">
      <div class="who">
        <h1>{first ? <><Text text={party(first.from_user, first.from_host)} /> <span aria-hidden="true">→</span><span class="sr">to</span> <Text text={party(first.to_user, first.to_host)} /></> : "Call"}</h1>
        <p class="note">
          {first && <>{wall(micros(rows[0].ts), zone).slice(0, 19)} · {span(length)} · </>}
          {final && <><span class={`what s${String(final.status)[0]}`}><Text text={title(final)} /></span> · </>}
          {answer && codecs(answer.sdp_media) && <>{codecs(answer.sdp_media)} · </>}
          <span class="mono"><Text text={id} /></span> <Copy text={id} label="copy" />
        </p>
      </div>
      <div class="buttons"><a class="button" href={href("messages", { q: `callid:${quote(id)}`, from: "all" })}>Messages</a>{children}</div>
    </header>
  );
}

/** What a call can be taken away as; `fail` is told what went wrong. */
export function CallExport({ id, ladder, zone, fail }: { id: string; ladder: Ladder; zone: string; fail: (error: unknown) => void }) {
  const file = (format: string) => address("api/v1/export", { call_id: id, legs: 1, format });
  const picture = async (kind: "svg" | "png") => {
    const made = svg(ladder, zone);
    if (kind === "svg") return save("ladder.svg", made.text, "image/svg+xml");
    const blob = await png(made);
    if (!blob) throw new Error("the ladder is too large for a PNG: take the SVG");
    save("ladder.png", blob);
  };
  const scenario = async () => {
    const { rows } = await ask<FlowAnswer>("api/v1/flow", { call_id: id, payload: 1 });
    const text = sipp(rows);
    if (text === null) throw new Error("there is no INVITE to make a scenario of");
    save("call.xml", text, "application/xml");
  };
  const attempt = (work: Promise<void>) => void work.then(() => fail(null), fail);
  return (
    <Menu label="Export">
      <a href={file("pcapng")} download>pcapng</a>
      <a href={file("pcap")} download>pcap</a>
      <a href={file("text")} download>Text</a>
      <a href={file("jsonl")} download>JSON lines</a>
      <button type="button" onClick={() => attempt(picture("svg"))}>Ladder as SVG</button>
      <button type="button" onClick={() => attempt(picture("png"))}>Ladder as PNG</button>
      <button type="button" onClick={() => attempt(scenario())}>SIPp scenario</button>
    </Menu>
  );
}
