// A Node.js function: hands the API gateway's event to hepcat, gets decoded messages back.
import { execFile } from 'node:child_process';

const HEPCAT = process.env.HEPCAT ?? 'hepcat';

/** @returns {Promise<{messages: object[], bad: boolean, log: string}>} */
export function decode(event) {
  const key = process.env.HEP_AUTH_KEY;
  const args = ['decode', ...(key ? ['--auth-key', key] : []), '-'];
  return new Promise((resolve, reject) => {
    const child = execFile(HEPCAT, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error && error.code !== 1) return reject(error);
      const messages = stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
      resolve({ messages, bad: error !== null, log: stderr });
    });
    child.stdin.on('error', () => {}); // hepcat ended before it had read all: its exit status tells
    child.stdin.end(JSON.stringify(event));
  });
}

export async function handler(event) {
  const { messages, bad, log } = await decode(event);
  for (const message of messages) console.log(JSON.stringify(message)); // in place of the call to analytics
  if (bad) console.error(log);
  return { statusCode: bad ? 400 : 200, body: bad ? 'bad HEP' : 'OK' };
}
