// The page in Chromium against a real server. WEB: folder in which it was built; URL: the server; TMP: a folder;
// BIG: Call-ID of a call of 5,000 messages; CAPTURE: a pcap to import; HEPCAT and TO: to send live calls.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { createServer, request as httpRequest } from "node:http";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { axePath, launch } from "./browser.mjs";

const { URL: url, TMP: tmp, BIG: big, CAPTURE: capture, HEPCAT: hepcat, TO: to } = process.env;
const api = async (path) => (await fetch(`${url}/api/v1/${path}`)).json();
const hash = (page, params = {}) => `${url}/#/${page}?${new URLSearchParams(params)}`;

let browser;
let page;
let errors;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

beforeEach(async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, timezoneId: "UTC", reducedMotion: "reduce" });
  page = await context.newPage();
  page.setDefaultTimeout(30_000);
  errors = [];
  page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
  page.on("pageerror", (e) => errors.push(e.stack));
  page.on("requestfailed", (r) => !/ERR_ABORTED/.test(r.failure().errorText) && errors.push(`${r.url()} ${r.failure().errorText}`));
  page.on("request", (r) => !r.url().startsWith(url) && !/^(blob|data):/.test(r.url()) && errors.push(`asks another host: ${r.url()}`));
});
afterEach(async () => {
  await page.context().close();
  assert.deepEqual(errors, [], "errors on the console");
});

const freePort = () => new Promise((found) => {
  const socket = createSocket("udp4").bind(0, "127.0.0.1", () => {
    const { port } = socket.address();
    socket.close(() => found(port));
  });
});

const rows = () => page.locator(".table .body .row");

/** Waits until the line above the table, or the ladder, says so. Not by waitForFunction: the page's policy has no eval. */
async function said(pattern, on = page) {
  const line = on.locator(".status").first();
  for (const end = Date.now() + 30_000; Date.now() < end; await on.waitForTimeout(50)) if (pattern.test(await line.textContent())) return;
  assert.match(await line.textContent(), pattern);
}

/** A call that a B2BUA made two of. */
const twoLegs = async () => (await api("calls?q=legs:2+state:completed&limit=1")).rows[0];

async function download(click) {
  const [file] = await Promise.all([page.waitForEvent("download"), click()]);
  const path = join(tmp, file.suggestedFilename());
  await file.saveAs(path);
  return path;
}

test("the start page has every call, and searches as one types", async () => {
  const { total } = await api("calls?total=only");
  await page.goto(hash("calls", { from: "all" }));
  await said(new RegExp(`^${total.toLocaleString("en")} calls`));
  assert.ok((await rows().count()) > 10);
  const wanted = (await api("calls?q=state:rejected&total=only")).total;
  await page.locator("#q").click();
  await page.keyboard.type("stat");
  await page.locator("[role=option]", { hasText: "state:" }).waitFor();
  await page.keyboard.press("ArrowDown");
  while (!(await page.locator("[role=option][aria-selected=true]").textContent()).startsWith("state:")) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.type("rej");
  await page.locator("[role=option]", { hasText: "rejected" }).click();
  const asked = async () => (await page.locator("#q").inputValue()).trim();
  for (const end = Date.now() + 30_000; Date.now() < end && (await asked()) !== "state:rejected";) await page.waitForTimeout(20);
  assert.equal(await asked(), "state:rejected");
  await page.locator("#q").press("Enter");
  await said(new RegExp(`^${wanted} calls?`));
  assert.equal(await rows().filter({ hasNotText: "rejected" }).count(), 0);
  assert.match(page.url(), /q=state%3Arejected/);
});

test("a mistake in a filter stands under its place; the last result stays", async () => {
  await page.goto(hash("calls", { from: "all" }));
  await rows().first().waitFor();
  await page.locator("#q").fill("from:a form:b");
  await page.locator("#q").press("Enter");
  assert.equal(await page.locator(".wrong pre").textContent(), "from:a form:b\n       ^ unknown field 'form', did you mean 'from'?");
  assert.ok((await rows().count()) > 0);
  errors = errors.filter((e) => !/400/.test(e)); // the browser tells of the answer
});

test("links of the page that was before are understood", async () => {
  const { total } = await api(`search?total=only&q=${encodeURIComponent("method:INVITE NOT status:?")}`);
  await page.goto(`${url}/?span=&q=method:INVITE+NOT+status:?`);
  await said(new RegExp(`^${total.toLocaleString("en")} messages`));
  assert.equal(await rows().filter({ hasNotText: "INVITE" }).count(), 0);
});

test("the histogram zooms by dragging, and back by the history", async () => {
  await page.goto(hash("calls", { from: "all" }));
  await page.locator(".bars rect").first().waitFor({ state: "attached" });
  const box = await page.locator(".bars").boundingBox();
  await page.mouse.move(box.x + box.width * 0.25, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 20, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/from=\d{4}-.*to=\d{4}-/);
  await page.goBack();
  await page.waitForURL(/from=all$/);
});

test("a call of several legs: ladder, message, diff, filters, and the same again from its link", async () => {
  const call = await twoLegs();
  const { rows: flow } = await api(`flow?legs=1&call_id=${encodeURIComponent(call.call_id)}`);
  await page.goto(hash("calls", { from: "all", q: `callid:"${call.call_id}"` }));
  await rows().first().dblclick();
  await page.locator(".step").first().waitFor();
  await said(new RegExp(`${flow.length} messages`));
  assert.equal(await page.locator(".step").count(), flow.length);
  assert.ok((await page.locator(".lane").count()) >= 3);

  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  assert.equal(await page.locator(".step.chosen").count(), 1);
  await page.locator(".message .p-start").waitFor();
  await page.keyboard.press("d");
  await page.locator("dialog .diff tr").first().waitFor();
  assert.ok((await page.locator("dialog .diff tr.changed").count()) > 0);
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });

  await page.locator(".chip", { hasText: "leg 2" }).click();
  const first = flow.filter((r) => (r.call_id ?? r.correlation_id) === (flow[0].call_id ?? flow[0].correlation_id)).length;
  await said(new RegExp(`${first} of ${flow.length} messages`));
  await page.locator(".chip", { hasText: "BYE" }).click();
  await page.keyboard.press("/");
  await page.keyboard.type("180");
  await said(/\d+ of/);
  const seen = await page.locator(".step").allTextContents();
  assert.ok(seen.length > 0 && seen.every((t) => t.includes("180")), seen.join());
  await page.reload();
  await page.locator(".step").first().waitFor();
  assert.deepEqual(await page.locator(".step").allTextContents(), seen);
});

test("tabs of a message and of a call", async () => {
  const call = (await api("calls?q=mos:*+state:completed&limit=1")).rows[0];
  const { rows: flow } = await api(`flow?call_id=${encodeURIComponent(call.call_id)}`);
  const answer = flow.find((r) => r.status === 200 && r.method === "INVITE");
  await page.goto(hash("call", { id: call.call_id, m: `${answer.seq}@${answer.ts}` }));
  await page.getByRole("tab", { name: "SDP" }).click();
  await page.locator(".panel caption", { hasText: "audio" }).waitFor();
  await page.getByRole("tab", { name: "Headers" }).click();
  assert.ok((await page.locator(".tree li").count()) > 5);
  await page.getByRole("tab", { name: "Capture" }).click();
  await page.locator(".facts", { hasText: "HEP version" }).waitFor();
  await page.getByRole("tab", { name: /^Media/ }).click();
  await page.locator(".chart canvas").first().waitFor();
  await page.getByRole("tab", { name: /^Legs/ }).click();
  await page.locator(".legs li").first().waitFor();
});

test("a finding leads to its message", async () => {
  const call = (await api("calls?q=status:486&limit=1")).rows[0];
  await page.goto(hash("call", { id: call.call_id }));
  await page.locator(".findings li", { hasText: "busy" }).waitFor();
  await page.locator(".evidence").first().click();
  await page.locator(".step.chosen").waitFor();
  await page.locator(".message h2").waitFor();
});

test("what is taken away: a capture that tshark reads, text, pictures, a scenario that is XML", async () => {
  const call = await twoLegs();
  await page.goto(hash("call", { id: call.call_id }));
  await page.locator(".step").first().waitFor();
  const choose = (name) => async () => {
    await page.getByRole("button", { name: /Export/ }).click();
    await page.locator(".menu-list").getByText(name, { exact: true }).click();
  };
  const pcap = await download(choose("pcap"));
  const seen = execFileSync("tshark", ["-r", pcap, "-Y", "sip", "-T", "fields", "-e", "sip.Call-ID"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const ids = new Set(seen.trim().split("\n"));
  assert.equal(ids.size, 2);
  assert.ok(ids.has(call.call_id));
  assert.match(readFileSync(await download(choose("Text")), "utf8"), /INVITE sip:/);
  assert.match(readFileSync(await download(choose("Ladder as SVG")), "utf8"), /^<svg [^]*INVITE/);
  assert.equal(readFileSync(await download(choose("Ladder as PNG"))).subarray(1, 4).toString(), "PNG");
  const scenario = await download(choose("SIPp scenario"));
  assert.match(readFileSync(scenario, "utf8"), /<send retrans="500">[^]*<recv response="200"/);
  execFileSync("python3", ["-c", "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])", scenario]);
});

test("a scenario is a call that SIPp makes", async () => {
  const { rows: calls } = await api("calls?q=state:completed+hangup:caller&limit=200");
  const call = calls.find((c) => c.reinvites === 0 && c.auth_rounds === 0 && !/redirected|forked|hold/.test(c.call_flags ?? ""));
  await page.goto(hash("call", { id: call.call_id }));
  await page.locator(".step").first().waitFor();
  const file = await download(async () => {
    await page.getByRole("button", { name: /Export/ }).click();
    await page.locator(".menu-list").getByText("SIPp scenario", { exact: true }).click();
  });
  writeFileSync(file, readFileSync(file, "utf8").replace(/<pause milliseconds="\d+"/g, '<pause milliseconds="200"'));
  const port = await freePort();
  const common = ["-i", "127.0.0.1", "-m", "1", "-nostdin", "-timeout", "20s", "-timeout_error"];
  const env = { ...process.env, TERM: "dumb" };
  const answers = spawn("sipp", ["-sn", "uas", "-p", String(port), ...common], { cwd: tmp, env, stdio: "ignore" });
  try {
    const done = spawnSync("sipp", ["-sf", file, ...common, "-trace_err", "-error_file", join(tmp, "sipp.log"), `127.0.0.1:${port}`], { cwd: tmp, env, encoding: "utf8", timeout: 40_000 });
    assert.equal(done.status, 0, done.stderr + done.stdout.slice(-3000) + readFileSync(file, "utf8"));
    assert.equal(await new Promise((ended) => answers.exitCode === null ? answers.on("exit", ended) : ended(answers.exitCode)), 0);
  } finally {
    answers.kill();
  }
});

test("the list of calls as CSV and as a capture", async () => {
  await page.goto(hash("calls", { from: "all", q: "state:rejected" }));
  await rows().first().waitFor();
  const choose = (name) => async () => {
    await page.getByRole("button", { name: /Export/ }).click();
    await page.locator(".menu-list").getByText(name, { exact: true }).click();
  };
  const { total } = await api("calls?q=state:rejected&total=only");
  assert.equal(readFileSync(await download(choose("CSV")), "utf8").trim().split("\r\n").length, total + 1);
  const pcap = await download(choose("pcap of these calls"));
  assert.match(execFileSync("tshark", ["-r", pcap, "-Y", "sip.Status-Code == 486"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }), /486/);
});

test("live: messages come, stand still, go on; one stream for two tabs", async () => {
  await page.goto(hash("live"));
  await said(/Waiting|Live/);
  const other = await page.context().newPage();
  await other.goto(hash("live"));
  await said(/Waiting|Live/, other);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  assert.match(metrics, /^hepcat_live_clients 1$/m);
  const demo = spawn(hepcat, ["demo", "--rate", "20", "--duration", "30", "--to", to, "-q"], { stdio: "ignore" });
  try {
    await rows().nth(5).waitFor();
    await other.locator(".table .body .row").nth(5).waitFor();
    await page.keyboard.press("Space");
    await said(/Paused, [1-9]/);
    const before = await rows().first().textContent();
    await said(/Paused, \d{2}/);
    assert.equal(await rows().first().textContent(), before);
    await page.keyboard.press("Space");
    await said(/^Live/);
  } finally {
    demo.kill();
  }
});

test("a capture is imported", async () => {
  await page.goto(hash("import"));
  await page.locator("#files").setInputFiles(capture);
  await page.locator(".jobs li.done").waitFor();
  assert.match(await page.locator(".jobs li").textContent(), /[1-9]\d* messages stored/);
});

test("keyboard only: from the list into a call, through it, and back", async () => {
  await page.goto(hash("calls", { from: "all", q: "state:completed" }));
  await rows().first().waitFor();
  await page.keyboard.press("j");
  await page.locator(".findings").waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.locator(".step").first().waitFor();
  const second = page.url();
  await page.keyboard.press("n");
  await page.waitForURL((now) => now.href !== second);
  await page.keyboard.press("p");
  await page.waitForURL(second);
  await page.keyboard.press("?");
  await page.locator("dialog kbd").first().waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.notEqual(await page.evaluate(() => document.activeElement.tagName), "BODY");
});

test("aliases name lanes", async () => {
  const call = await twoLegs();
  await page.goto(hash("aliases"));
  await page.getByLabel("Address").fill(call.dst_ip);
  await page.getByLabel("Name").fill("edge-sbc");
  await page.getByRole("button", { name: "Add" }).click();
  await page.goto(hash("call", { id: call.call_id }));
  await page.locator(".lane", { hasText: "edge-sbc" }).first().waitFor();
});

test("aliases and searches are those of all who use the server", async () => {
  const other = await browser.newContext();
  try {
    const tab = await other.newPage();
    await tab.goto(hash("aliases"));
    const row = tab.locator("tr", { hasText: "edge-sbc" });
    await row.waitFor();
    await row.getByRole("button", { name: "Remove edge-sbc" }).click();
    await row.waitFor({ state: "detached" });
    await tab.goto(hash("calls", { from: "all", q: "state:failed" }));
    tab.once("dialog", (dialog) => void dialog.accept("What failed"));
    await tab.getByRole("button", { name: "Keep this search" }).click();
    await tab.getByRole("button", { name: "Forget this search" }).waitFor();
  } finally {
    await other.close();
  }
  await page.goto(hash("aliases"));
  await page.reload();
  await page.getByLabel("Address").waitFor();
  await page.locator("tr", { hasText: "edge-sbc" }).waitFor({ state: "detached" });
  await page.goto(hash("calls", { from: "all" }));
  await page.locator("#q").click();
  await page.locator("#q-list li", { hasText: "What failed" }).click();
  await page.waitForURL(/state(:|%3A)failed/);
  await page.getByRole("button", { name: "Forget this search" }).click();
  await page.getByRole("button", { name: "Keep this search" }).waitFor();
  assert.deepEqual(await api("shared"), { aliases: [], searches: [] });
});

test("behind a proxy, below a path: the page, its links, and what comes live", async () => {
  const { hostname, port: back } = new URL(url);
  const proxy = createServer((request, reply) => {
    if (!request.url.startsWith("/voice/hepcat/")) return void reply.writeHead(404).end();
    const { connection, ...headers } = request.headers;
    const on = httpRequest({ hostname, port: back, method: request.method, path: request.url.slice("/voice/hepcat".length), headers: { ...headers, host: `${hostname}:${back}` } }, (answer) => {
      reply.writeHead(answer.statusCode, answer.headers);
      answer.pipe(reply);
    });
    on.on("error", () => reply.destroy());
    reply.on("close", () => on.destroy());
    request.pipe(on);
  });
  await new Promise((ready) => proxy.listen(0, "127.0.0.1", ready));
  const base = `http://127.0.0.1:${proxy.address().port}/voice/hepcat/`;
  const context = await browser.newContext();
  try {
    const tab = await context.newPage();
    const asked = [];
    tab.on("request", (r) => /^http/.test(r.url()) && asked.push(r.url()));
    await tab.goto(`${base}#/calls?from=all`);
    await tab.locator(".table .body .row").first().dblclick();
    await tab.locator(".step").first().waitFor();
    await tab.goto(`${base}#/live`);
    await said(/Waiting|Live/, tab);
    assert.ok(asked.length > 5);
    assert.deepEqual(asked.filter((a) => !a.startsWith(base)), []);
  } finally {
    await context.close();
    proxy.closeAllConnections();
    proxy.close();
  }
});

test("a server that is gone is told, and what is shown stays", async () => {
  await page.goto(hash("calls", { from: "all" }));
  await rows().first().waitFor();
  await page.context().setOffline(true);
  await page.locator("#q").fill("state:failed");
  await page.locator("#q").press("Enter");
  await page.locator(".lost").waitFor();
  assert.ok((await rows().count()) > 0);
  await page.context().setOffline(false);
  await page.locator(".lost").waitFor({ state: "detached" });
  errors = errors.filter((e) => !/ERR_INTERNET_DISCONNECTED/.test(e));
});

test("markup, controls and bidi of a message are shown and do nothing", async () => {
  const { rows: found } = await api("search?q=callid:evil*&limit=1");
  await page.goto(hash("call", { id: found[0].call_id, m: `${found[0].seq}@${found[0].ts}` }));
  await page.locator(".message .p-start").waitFor();
  assert.match(await page.locator("pre.raw").textContent(), /<img src=x onerror=/);
  assert.ok((await page.locator(".hidden-char", { hasText: "RLO" }).count()) > 0);
  assert.equal(await page.locator("main img").count(), 0);
  assert.equal(await page.locator("script").count(), 1);
  assert.equal(await page.evaluate(() => [...document.querySelectorAll("*")].some((e) => e.getAttributeNames().some((n) => n.startsWith("on")))), false);
});

const VIEWS = {
  calls: { from: "all" }, messages: { from: "all" }, registrations: {}, live: {}, quality: { from: "all" }, dashboard: { from: "all" }, senders: {}, import: {}, aliases: {},
};

for (const colorScheme of ["light", "dark"])
  test(`axe finds nothing serious (${colorScheme})`, async () => {
    const call = await twoLegs();
    const { rows: flow } = await api(`flow?call_id=${encodeURIComponent(call.call_id)}`);
    const places = [...Object.entries(VIEWS).map(([name, params]) => [name, hash(name, params)]), ["call", hash("call", { id: call.call_id, m: `${flow[0].seq}@${flow[0].ts}` })],
      ["media", hash("call", { id: call.call_id, tab: "media" })], ["legs", hash("call", { id: call.call_id, tab: "legs" })],
      ["preview", hash("calls", { from: "all", m: `${call.seq}@${call.ts}` })]];
    await page.emulateMedia({ colorScheme });
    const dark = ["calls", "call", "media", "dashboard"]; // colours are all that differs
    for (const [name, where] of places.filter(([n]) => colorScheme === "light" || dark.includes(n))) {
      await page.goto(where);
      await page.reload(); // a change behind "#" alone loads nothing
      await page.waitForLoadState("networkidle", { timeout: 4000 }).catch(() => undefined); // a stream of live messages never rests
      await page.evaluate(readFileSync(axePath(), "utf8")); // by the debugger: the page's policy lets no script in
      const found = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
      const serious = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
      assert.deepEqual(serious.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html + n.failureSummary).join(" | ")}`), [], name);
    }
  });

test("5,000 messages scroll: long tasks are measured and told", async (t) => {
  await page.goto(hash("call", { id: big }));
  await said(/5,000 messages/);
  const shown = await page.locator(".step").count();
  assert.ok(shown < 120, `${shown} rows are in the document`);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  const cpu = async () => (await cdp.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value * 1000;
  const began = await cpu();
  const told = await page.evaluate(async () => {
    const long = [];
    new PerformanceObserver((list) => long.push(...list.getEntries().map((e) => e.duration))).observe({ type: "longtask" });
    const box = document.querySelector(".ladder");
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    let frames = 0;
    for (; box.scrollTop + box.clientHeight < box.scrollHeight - 1; frames++) {
      box.scrollTop += 340;
      await frame();
    }
    return { frames, long };
  });
  t.diagnostic(`${told.frames} frames of 340 pixels, ${((await cpu() - began) / told.frames).toFixed(1)} ms of CPU each; long tasks: ${told.long.length}${told.long.length ? `, the longest ${Math.max(...told.long)} ms` : ""}`);
  assert.ok(told.frames > 400);
  await page.keyboard.press("End");
  await page.locator("#step-4999").waitFor();
});

test("first paint of the list of calls is measured and told", async (t) => {
  await page.goto(hash("calls", { from: "all" }));
  await rows().first().waitFor();
  const ms = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
  t.diagnostic(`first contentful paint after ${Math.round(ms)} ms`);
});

test("a phone has everything in its width", async () => {
  await page.setViewportSize({ width: 390, height: 780 });
  for (const name of Object.keys(VIEWS)) {
    await page.goto(hash(name, VIEWS[name]));
    await page.locator("main .page").first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, name);
  }
});
