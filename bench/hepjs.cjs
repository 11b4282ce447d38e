// The same messages through hep-js, in the same format of lines as codec: frame, octets, operation, best, median.
// usage: node hepjs.cjs NODE_MODULES FRAMES.json    FRAMES.json: {"invite": "48455033...", "genesys": "..."}
'use strict';

const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

const [modules, file] = process.argv.slice(2);
const hepjs = createRequire(path.join(path.resolve(modules), 'x.js'))('hep-js');
hepjs.addVendorExtensions({ 8: { 128: { keyName: 'conversationId' }, 129: { keyName: 'organizationId' } } });

const ROUNDS = 21;
let sink = 0;

function roundNs(call, count) {
  const start = process.cpuUsage();
  for (let i = 0; i < count; i++) sink += call();
  const used = process.cpuUsage(start);
  return ((used.user + used.system) * 1000) / count;
}

function measure(name, octets, operation, call) {
  const first = roundNs(call, 3000); // lets the compiler see it, too
  const count = Math.ceil(20e6 / first);
  const rounds = Array.from({ length: ROUNDS }, () => roundNs(call, count)).sort((a, b) => a - b);
  console.log(name, octets, operation, rounds[0].toFixed(1), rounds[ROUNDS >> 1].toFixed(1));
}

for (const [name, hex] of Object.entries(JSON.parse(fs.readFileSync(file, 'utf8')))) {
  const frame = Buffer.from(hex, 'hex');
  const { rcinfo, payload } = hepjs.decapsulate(frame);
  const text = JSON.stringify({ rcinfo, payload });
  measure(name, frame.length, 'decode', () => hepjs.decapsulate(frame).payload.length);
  measure(name, frame.length, 'encode', () => hepjs.encapsulate(payload, rcinfo).length);
  measure(name, frame.length, 'decode_json', () => JSON.stringify(hepjs.decapsulate(frame)).length);
  measure(name, frame.length, 'encode_json', () => {
    const message = JSON.parse(text);
    return hepjs.encapsulate(message.payload, message.rcinfo).length;
  });
}
