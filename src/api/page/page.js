// The first page: recent messages, a search, live messages, a call as a ladder. It knows nothing but docs/api.yaml.

const $ = (id) => document.getElementById(id);
const PAGE = 200;
const LIVE_MOST = 500; // rows that stay on the page while messages come in
const COLUMNS = "ts,seq,src_ip,src_port,dst_ip,dst_port,method,status,reason,from_user,from_host,to_user,to_host," +
  "call_id,correlation_id,kind,payload_len,parse_error";

let next = null; // cursor behind the last row shown
let asked = 0; // number of the question: a late answer to an earlier one is dropped
let shown = ""; // Call-ID of the ladder
let chosen = 0; // number of the message that was chosen last: as above
let source = null; // EventSource while live

// ------------------------------------------------------------------------------------------------ asking

class Problem extends Error {
  constructor(body) {
    super(body.detail ?? body.title ?? "no answer");
    this.body = body;
  }
}

async function ask(path, params) {
  const query = new URLSearchParams(params);
  const reply = await fetch(`${path}?${query}`, { headers: { Accept: "application/json" } });
  const body = await reply.json().catch(() => ({ title: `HTTP ${reply.status}` }));
  if (!reply.ok) throw new Problem(body);
  return body;
}

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

// A mistake in the filter is shown under the place where it is; `at` counts octets of UTF-8.
function complain(error, filter) {
  const at = error.body?.at;
  if (error.body?.parameter !== "q" || at === undefined) return say(error.message, true);
  const before = new TextDecoder().decode(new TextEncoder().encode(filter).slice(0, at));
  say(`${filter}\n${" ".repeat([...before].length)}^ ${error.message}`, true);
}

// ------------------------------------------------------------------------------------------------ texts

const number = new Intl.NumberFormat();

function clock(ts) {
  const date = new Date(ts);
  const pad = (n) => String(n).padStart(2, "0");
  const day = date.toDateString() === new Date().toDateString() ? "" : `${pad(date.getMonth() + 1)}-${pad(date.getDate())} `;
  return `${day}${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${ts.slice(20, 26).padEnd(6, "0")}`;
}

const microseconds = (ts) => Date.parse(ts.slice(0, 19) + "Z") * 1000 + Number(ts.slice(20, 26).padEnd(6, "0"));
const place = (ip, port) => (ip === undefined ? "" : ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);
const party = (user, host) => (user !== undefined && host !== undefined ? `${user}@${host}` : user ?? host ?? "");

function title(row) {
  if (row.table !== "sip") return row.kind ?? row.table;
  if (row.status !== undefined) return `${row.status} ${row.reason ?? ""}`;
  return row.method ?? "malformed";
}

function tone(row) {
  if (row.table !== "sip") return "other";
  return row.status === undefined ? "request" : `s${Math.floor(row.status / 100)}`;
}

// ------------------------------------------------------------------------------------------------ rows

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function line(row) {
  const tr = element("tr");
  tr.tabIndex = 0;
  const call = row.call_id ?? row.correlation_id ?? "";
  const cells = [clock(row.ts), place(row.src_ip, row.src_port), place(row.dst_ip, row.dst_port), title(row),
    party(row.from_user, row.from_host), party(row.to_user, row.to_host), call];
  cells.forEach((text, i) => tr.append(element("td", text, i === 3 ? tone(row) : i === 6 ? "call" : "")));
  if (row.parse_error) tr.cells[3].title = `malformed: ${row.parse_error}`;
  const open = () => {
    for (const other of document.querySelectorAll("tr.chosen")) other.classList.remove("chosen");
    tr.classList.add("chosen");
    if (call) showCall(call, row.seq);
    else showAlone(row);
  };
  tr.addEventListener("click", open);
  tr.addEventListener("keydown", (event) => event.key === "Enter" && open());
  return tr;
}

async function search(after) {
  const mine = ++asked;
  const filter = $("q").value;
  const params = { q: filter, limit: PAGE, columns: COLUMNS, total: 1 };
  if ($("span").value) params.from = `-${$("span").value}`;
  if (after) params.after = after;
  const began = performance.now();
  say("…");
  try {
    const result = await ask("/api/v1/search", params);
    if (mine !== asked) return;
    const body = $("rows").tBodies[0];
    if (!after) body.replaceChildren();
    body.append(...result.rows.map(line));
    next = result.next;
    $("more").hidden = next === null;
    const total = result.total === undefined ? "" : ` of ${result.total_exact ? "" : "at least "}${number.format(result.total)}`;
    const partial = result.problem ? `; not all: ${result.problem}` : "";
    say(body.rows.length === 0 ? `nothing matches${partial}`
      : `the newest ${number.format(body.rows.length)}${total} messages in ${Math.round(performance.now() - began)} ms${partial}`);
  } catch (error) {
    if (mine === asked) complain(error, filter);
  }
}

// ------------------------------------------------------------------------------------------------ live

function stopLive() {
  source?.close();
  source = null;
  $("live").setAttribute("aria-pressed", "false");
}

function startLive() {
  stopLive();
  asked++;
  const filter = $("q").value;
  const body = $("rows").tBodies[0];
  let seen = 0;
  let skipped = 0;
  const tell = () => say(`live: ${number.format(seen)} messages${skipped ? `, ${number.format(skipped)} passed over` : ""}`);
  source = new EventSource(`/api/v1/live?${new URLSearchParams({ q: filter, columns: COLUMNS })}`);
  $("live").setAttribute("aria-pressed", "true");
  $("more").hidden = true;
  body.replaceChildren();
  say("live: waiting for messages");
  source.addEventListener("message", (event) => {
    seen++;
    body.prepend(line(JSON.parse(event.data)));
    while (body.rows.length > LIVE_MOST) body.lastChild.remove();
    tell();
  });
  source.addEventListener("skipped", (event) => {
    skipped += Number(JSON.parse(event.data).count ?? 0);
    tell();
  });
  source.onerror = async () => {
    if (source?.readyState !== EventSource.CLOSED) return say("live: connecting again…");
    stopLive();
    try { // why: EventSource does not tell
      await ask("/api/v1/search", { q: filter, limit: 1 });
      say("no live messages: the server refused, or is not there", true);
    } catch (error) {
      complain(error, filter);
    }
  };
}

// ------------------------------------------------------------------------------------------------ ladder

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, text) {
  const e = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  return e;
}

const LEFT = 150; // room for times
const LANE = 210;
const STEP = 26;

// A lane for each place that speaks SIP; media and logs go to the lane of their host, if it has one.
function ladder(rows, choose) {
  const hosts = new Map();
  const speak = rows.some((row) => row.table === "sip") ? rows.filter((row) => row.table === "sip") : rows;
  for (const row of speak)
    for (const host of [place(row.src_ip, row.src_port), place(row.dst_ip, row.dst_port)])
      if (host && !hosts.has(host)) hosts.set(host, LEFT + LANE / 2 + hosts.size * LANE);
  const width = LEFT + Math.max(hosts.size, 1) * LANE;
  const height = 40 + rows.length * STEP + 10;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
  for (const [host, x] of hosts) {
    svg.append(shape("text", { x, y: 16, "text-anchor": "middle", class: "host" }, host));
    svg.append(shape("line", { x1: x, y1: 24, x2: x, y2: height, class: "lane" }));
  }
  const said = new Set();
  rows.forEach((row, i) => svg.append(arrow(row, i, rows, hosts, said, width, choose)));
  return svg;
}

function lane(hosts, ip, port) {
  const exact = hosts.get(place(ip, port));
  if (exact !== undefined) return exact;
  for (const [host, x] of hosts) if (ip !== undefined && host.startsWith(place(ip, ""))) return x;
  return undefined;
}

function arrow(row, i, rows, hosts, said, width, choose) {
  const y = 44 + i * STEP;
  const x1 = lane(hosts, row.src_ip, row.src_port) ?? LEFT + LANE / 2;
  let x2 = lane(hosts, row.dst_ip, row.dst_port) ?? x1;
  if (x1 === x2) x2 = x1 + 60; // to itself
  const key = [row.src_ip, row.src_port, row.dst_ip, row.dst_port, row.method, row.status, row.branch, row.cseq].join(" ");
  const again = row.table === "sip" && row.branch !== undefined && said.has(key);
  said.add(key);
  const g = shape("g", { class: `arrow ${tone(row)}${again ? " again" : ""}`, "data-seq": row.seq, tabindex: 0 });
  g.append(shape("rect", { class: "hit", x: 0, y: y - STEP + 8, width, height: STEP }));
  const delta = i === 0 ? "" : ` +${((microseconds(row.ts) - microseconds(rows[i - 1].ts)) / 1e6).toFixed(3)}`;
  g.append(shape("text", { x: 0, y, class: "when" }, clock(row.ts).slice(-15, -3) + delta));
  g.append(shape("line", { x1, y1: y + 3, x2, y2: y + 3 }));
  const back = x2 < x1 ? 7 : -7;
  g.append(shape("path", { d: `M${x2} ${y + 3}l${back} -4v8z` }));
  const sdp = row.flags?.includes("sdp") ? " (SDP)" : "";
  g.append(shape("text", { x: (x1 + x2) / 2, y: y - 2, "text-anchor": "middle" }, title(row) + sdp + (again ? " ↻" : "")));
  const open = () => choose(row, g);
  g.addEventListener("click", open);
  g.addEventListener("keydown", (event) => event.key === "Enter" && open());
  return g;
}

async function showCall(call, seq) {
  shown = call;
  chosen++;
  remember();
  $("call").hidden = false;
  $("call-id").textContent = call;
  const link = (format) => `/api/v1/export?${new URLSearchParams({ call_id: call, format })}`;
  $("call-pcap").href = link("pcapng");
  $("call-text").href = link("text");
  $("ladder").replaceChildren();
  $("message").hidden = true;
  $("call-status").textContent = "…";
  try {
    const flow = await ask("/api/v1/flow", { call_id: call, limit: 1000 });
    if (call !== shown) return; // another one was chosen meanwhile
    const rows = flow.rows;
    const span = rows.length > 1 ? (microseconds(rows[rows.length - 1].ts) - microseconds(rows[0].ts)) / 1e6 : 0;
    const more = flow.next ? ", and more" : "";
    $("call-status").textContent = `${rows.length} messages${more} in ${span.toFixed(3)} s${flow.problem ? `; not all: ${flow.problem}` : ""}`;
    $("ladder").append(ladder(rows, showMessage));
    const first = rows.find((row) => row.seq === seq) ?? rows[0];
    if (first) showMessage(first, $("ladder").querySelector(`[data-seq="${first.seq}"]`));
  } catch (error) {
    if (call === shown) $("call-status").textContent = error.message;
  }
}

function closeCall() {
  shown = "";
  chosen++;
  remember();
  $("call").hidden = true;
}

function showAlone(row) {
  shown = "";
  $("call").hidden = false;
  $("call-id").textContent = "";
  $("call-status").textContent = "This message belongs to no call.";
  $("ladder").replaceChildren();
  $("message").hidden = true;
  showMessage(row, null);
}

async function showMessage(row, mark) {
  const mine = ++chosen;
  for (const other of document.querySelectorAll("g.chosen")) other.classList.remove("chosen");
  mark?.classList.add("chosen");
  const box = $("message");
  try {
    const m = await ask("/api/v1/message", { seq: row.seq, ts: row.ts });
    if (mine !== chosen) return;
    box.hidden = false;
    box.querySelector("h3").textContent = `${title(row)}  ${clock(row.ts)}`;
    const facts = [["from", place(m.src_ip, m.src_port)], ["to", place(m.dst_ip, m.dst_port)], ["transport", m.proto],
      ["captured by", [m.node, m.capture_id, m.sender].filter((x) => x !== undefined).join(" · ")],
      ["malformed", m.parse_error]];
    const list = box.querySelector("dl");
    list.replaceChildren();
    for (const [name, value] of facts) if (value) list.append(element("dt", name), element("dd", value));
    paint(box.querySelector("pre"), m);
  } catch (error) {
    if (mine === chosen) $("call-status").textContent = error.message;
  }
}

// Names of headers stand out; the rest is as it was on the wire.
function paint(pre, m) {
  pre.replaceChildren();
  if (m.payload_encoding === "base64") {
    pre.textContent = m.rtcp ? JSON.stringify(m.rtcp, null, 2) : m.payload;
    return;
  }
  let head = m.table === "sip";
  for (const text of (m.payload ?? "").split("\n")) {
    if (text.trim() === "") head = false;
    const colon = head ? /^[A-Za-z0-9.!%*_+`'~-]+\s*:/.exec(text) : null;
    if (colon) pre.append(element("b", colon[0]), text.slice(colon[0].length) + "\n");
    else pre.append(text + "\n");
  }
}

// ------------------------------------------------------------------------------------------------ the rest

async function health() {
  try {
    const reply = await fetch("/health");
    const body = await reply.json();
    $("health").textContent = body.status === "ok" ? "● well" : `● ${body.reasons?.[0]?.code ?? body.status}`;
    $("health").title = (body.reasons ?? []).map((r) => r.text).join("\n");
    $("health").className = body.status;
  } catch {
    $("health").textContent = "● no answer";
    $("health").className = "failing";
  }
}

async function fields() {
  try {
    const known = await ask("/api/v1/fields", {});
    for (const f of known.fields) {
      const option = element("option");
      option.value = `${f.name}:`;
      option.label = f.description;
      $("fields").append(option);
    }
  } catch { /* the page does without */ }
}

// What is asked for stands in the address, so that it can be sent to somebody.
function remember() {
  const params = new URLSearchParams();
  if ($("q").value) params.set("q", $("q").value);
  params.set("span", $("span").value);
  if (shown) params.set("call", shown);
  history.replaceState(null, "", `?${params}`);
}

// A time that is not in the list is one more choice; the server says if it is none.
function chooseSpan(span) {
  const list = $("span");
  if (![...list.options].some((option) => option.value === span)) {
    const option = element("option", span);
    option.value = span;
    list.append(option);
  }
  list.value = span;
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  remember();
  stopLive();
  search();
});
$("span").addEventListener("change", () => $("form").requestSubmit());
$("live").addEventListener("click", () => {
  remember();
  if (source) stopLive(), search();
  else startLive();
});
$("more").addEventListener("click", () => search(next));
$("close").addEventListener("click", closeCall);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeCall();
});

const address = new URLSearchParams(location.search);
$("q").value = address.get("q") ?? "";
if (address.has("span")) chooseSpan(address.get("span"));
health();
setInterval(health, 15000);
fields();
search();
if (address.has("call")) showCall(address.get("call"));
