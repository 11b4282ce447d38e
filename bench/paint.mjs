// First paint of the list of calls in Chromium: WEB=build/web URL=http://127.0.0.1:9080 node bench/paint.mjs [rounds]
//
// Each round is a new browser context, the page opened once and loaded again twice; beside it an empty page, which is what
// the browser itself takes on this machine. Milliseconds since the navigation began, the middle of all rounds.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const { chromium } = createRequire(resolve(process.env.WEB, "package.json"))("playwright-core");
const rounds = Number(process.argv[2] ?? 8);

const noteRows = () => {
  const watch = new MutationObserver(() => {
    if (!document.querySelector(document.getElementById("app") ? ".table .body .row" : "p")) return;
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => (window.painted = performance.now())));
  });
  watch.observe(document, { childList: true, subtree: true });
};

const empty = createServer((_, reply) => reply.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>empty</title><p>empty")).listen(0, "127.0.0.1");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const figures = new Map();

async function look(page, name) {
  let painted;
  while (!(painted = await page.evaluate(() => window.painted))) await page.waitForTimeout(30);
  const first = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN);
  figures.set(name, [...(figures.get(name) ?? []), [first, painted]]);
}

for (let round = 0; round < rounds; round++) {
  for (const [name, url] of [["empty page", `http://127.0.0.1:${empty.address().port}/`], ["calls", `${process.env.URL}/#/calls?from=all`]]) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.addInitScript(noteRows);
    await page.goto(url);
    await look(page, `${name}, first visit`);
    for (let again = 0; again < 2; again++) {
      await page.reload();
      await look(page, `${name}, again`);
    }
    await context.close();
  }
}
const middle = (list) => list.sort((a, b) => a - b)[list.length >> 1];
for (const [name, list] of figures)
  console.log(JSON.stringify({ bench: "paint", what: name, first_paint_ms: Math.round(middle(list.map((v) => v[0]))), rows_ms: Math.round(middle(list.map((v) => v[1]))) }));
await browser.close();
empty.close();
