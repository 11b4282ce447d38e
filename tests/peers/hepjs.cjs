// Runs hep-js: a job per line of standard input, a result per line of standard output. NODE_PATH names node_modules.
//   {"do":"decapsulate","hex":"48455033...","extensions":{}}  ->  {"result":{"rcinfo":{...},"payload":"..."}}
//   {"do":"encapsulate","message":{...},"extensions":{}}      ->  {"result":"48455033..."}
'use strict';

const { createRequire } = require('module');
const path = require('path');
const fs = require('fs');

const hepjs = createRequire(path.join(process.env.NODE_PATH, 'x.js'))('hep-js');

// hep-js keeps extensions for ever: jobs that differ in them need a process each.
function run(job) {
  hepjs.addVendorExtensions(job.extensions);
  if (job.do === 'decapsulate') return hepjs.decapsulate(Buffer.from(job.hex, 'hex'));
  const { rcinfo, payload } = job.message;
  return hepjs.encapsulate(payload, rcinfo).toString('hex');
}

for (const line of fs.readFileSync(0, 'utf8').split('\n')) {
  if (line === '') continue;
  process.stdout.write(JSON.stringify({ result: run(JSON.parse(line)) }) + '\n');
}
