// Pictures of the pages for docs/ui/. usage: WEB=build/web node shots.mjs URL FOLDER
import { join } from "node:path";

import { launch } from "./browser.mjs";

const [url, folder, only] = process.argv.slice(2);
const api = async (path) => (await fetch(`${url}/api/v1/${path}`)).json();
const first = async (q) => (await api(`calls?limit=1&q=${encodeURIComponent(q)}`)).rows[0];
const call = (await first("legs:2 mos:* state:completed")) ?? (await first("mos:*")) ?? (await first(""));
const flow = await api(`flow?legs=1&call_id=${encodeURIComponent(call.call_id)}`);
const message = flow.rows.find((r) => r.status === 200 && r.method === "INVITE") ?? flow.rows[0];
const failed = (await first("state:failed,rejected")) ?? call;
const id = encodeURIComponent(call.call_id);
const at = encodeURIComponent(`${message.seq}@${message.ts}`);

const DESK = { width: 1280, height: 800 };
const PAGES = {
  calls: { at: `#/calls?from=-15m&m=${encodeURIComponent(`${failed.seq}@${failed.ts}`)}` },
  call: { at: `#/call?id=${id}&m=${at}` },
  media: { at: `#/call?id=${id}&tab=media` },
  legs: { at: `#/call?id=${id}&tab=legs` },
  diff: { at: `#/call?id=${id}&m=${at}`, after: (page) => page.keyboard.press("d") },
  messages: { at: "#/messages?from=-15m" },
  registrations: { at: "#/registrations" },
  live: { at: "#/live" },
  quality: { at: "#/quality?from=-1h" },
  dashboard: { at: "#/dashboard?from=-15m" },
  senders: { at: "#/senders" },
  import: { at: "#/import" },
  aliases: { at: "#/aliases" },
  dark: { at: `#/call?id=${id}&m=${at}`, scheme: "dark" },
  phone: { at: "#/calls?from=-15m", size: { width: 390, height: 780 } },
};

const browser = await launch();
for (const [name, { at: where, size = DESK, scheme = "light", after }] of Object.entries(PAGES)) {
  if (only && !only.split(",").includes(name)) continue;
  const page = await browser.newPage({ viewport: size, colorScheme: scheme, timezoneId: "UTC", reducedMotion: "reduce" });
  page.on("console", (m) => m.type() === "error" && console.error(`${name}: ${m.text()}`));
  page.on("pageerror", (e) => console.error(`${name}: ${e.stack}`));
  await page.goto(`${url}/${where}`);
  await page.waitForTimeout(1500);
  await after?.(page);
  await page.waitForTimeout(after ? 700 : 0);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.close();
}
await browser.close();
