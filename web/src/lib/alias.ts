// Names that people give to addresses: an address, an address with a port, or a network. Kept in this browser.

export interface Alias {
  address: string;
  name: string;
}

interface Net {
  bits: bigint;
  prefix: number; // of 128
  port?: number;
}

const V4 = 0xffff00000000n;

/** 128 bits of an address, IPv4 as mapped; null if it is none. */
export function addressBits(text: string): bigint | null {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (v4) {
    const parts = v4.slice(1).map(Number);
    return parts.every((p) => p < 256) ? V4 | BigInt(((parts[0] * 256 + parts[1]) * 256 + parts[2]) * 256 + parts[3]) : null;
  }
  if (!/^[0-9a-fA-F:]+$/.test(text) || !text.includes(":")) return null;
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const groups = halves.map((h) => (h === "" ? [] : h.split(":")));
  const missing = 8 - groups.reduce((n, g) => n + g.length, 0);
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const all = halves.length === 1 ? groups[0] : [...groups[0], ...Array<string>(missing).fill("0"), ...groups[1]];
  if (!all.every((g) => /^[0-9a-fA-F]{1,4}$/.test(g))) return null;
  return all.reduce((n, g) => (n << 16n) | BigInt(parseInt(g, 16)), 0n);
}

/** "10.0.0.0/8", "10.0.0.1", "10.0.0.1:5060", "[2001:db8::1]:5060", "2001:db8::/32"; null if it is none of them. */
export function parseNet(text: string): Net | null {
  const m = /^(?:\[([^\]]+)\]|([^/[\]]+?))(?:\/(\d{1,3}))?$/.exec(text.trim().replace(/(\]|^[\d.]+):(\d{1,5})$/, "$1"));
  const port = /(?:\]|^[\d.]+):(\d{1,5})$/.exec(text.trim());
  if (!m) return null;
  const bits = addressBits(m[1] ?? m[2]);
  if (bits === null) return null;
  const most = (m[1] ?? m[2]).includes(":") ? 128 : 32;
  const prefix = m[3] === undefined ? most : Number(m[3]);
  if (prefix > most || (port && Number(port[1]) > 65535)) return null;
  return { bits, prefix: prefix + 128 - most, port: port ? Number(port[1]) : undefined };
}

/** Looks names up; the most exact one wins. */
export class Aliases {
  private readonly nets: (Net & { name: string })[];
  private readonly known = new Map<string, string | null>();

  constructor(list: Alias[]) {
    this.nets = list.flatMap((a) => {
      const net = parseNet(a.address);
      return net && a.name ? [{ ...net, name: a.name }] : [];
    });
    this.nets.sort((a, b) => b.prefix - a.prefix || Number(b.port !== undefined) - Number(a.port !== undefined));
  }

  name(ip?: string, port?: number): string | null {
    if (ip === undefined || this.nets.length === 0) return null;
    const key = `${ip} ${port}`;
    let found = this.known.get(key);
    if (found === undefined) {
      const bits = addressBits(ip);
      const net = bits === null ? undefined : this.nets.find((n) =>
        (n.port === undefined || n.port === port) && bits >> BigInt(128 - n.prefix) === n.bits >> BigInt(128 - n.prefix));
      found = net ? net.name : null;
      this.known.set(key, found);
    }
    return found;
  }
}
