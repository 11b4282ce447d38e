// Cuts a file into pieces that the server takes (8 MiB a request), between packets or frames.

export const PIECE = 7 << 20;

export type FileKind = "hep" | "pcap" | "pcapng";

export const TYPES: Record<FileKind, string> = {
  hep: "application/x-hep", pcap: "application/vnd.tcpdump.pcap", pcapng: "application/x-pcapng",
};

export function kindOf(head: DataView): FileKind | null {
  if (head.byteLength < 4) return null;
  const first = head.getUint32(0);
  if (first === 0x48455033) return "hep";
  if (first === 0x0a0d0d0a) return "pcapng";
  return [0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1].includes(first) ? "pcap" : null;
}

export interface Piece {
  octets: Blob;
  end: number; // place in the file behind it
}

/** Length of what begins at `at`; 0: not all of its head is there. */
type Measure = (view: DataView, at: number) => number;

async function* cut(file: Blob, from: number, head: () => Uint8Array[], measure: Measure, seen?: (view: DataView, at: number, length: number) => void,
  piece = PIECE): AsyncGenerator<Piece> {
  let at = from;
  while (at < file.size) {
    const view = new DataView(await file.slice(at, at + piece).arrayBuffer());
    const before = head().map((u) => u.slice());
    let end = 0;
    for (;;) {
      const length = measure(view, end);
      if (length <= 0 || end + length > view.byteLength) break;
      seen?.(view, end, length);
      end += length;
    }
    if (end === 0 || at + view.byteLength >= file.size) end = view.byteLength; // the server says what is wrong with it
    yield { octets: new Blob([...before as BlobPart[], file.slice(at, at + end)]), end: at + end };
    at += end;
  }
}

export async function* pieces(file: Blob, piece = PIECE): AsyncGenerator<Piece> {
  const start = new DataView(await file.slice(0, 28).arrayBuffer());
  const kind = kindOf(start);
  if (kind === null || file.size <= piece) {
    yield { octets: file, end: file.size };
  } else if (kind === "hep") {
    yield* cut(file, 0, () => [], (v, at) => (at + 6 <= v.byteLength ? v.getUint16(at + 4) : 0), undefined, piece);
  } else if (kind === "pcap") {
    const header = new Uint8Array(await file.slice(0, 24).arrayBuffer());
    const little = [0xd4, 0x4d].includes(header[0]);
    yield* cut(file, 24, () => [header], (v, at) => (at + 16 <= v.byteLength ? 16 + v.getUint32(at + 8, little) : 0), undefined, piece);
  } else {
    yield* cutPcapng(file, piece);
  }
}

/** Every piece of a pcapng begins with the section header and the interfaces that were described before it. */
async function* cutPcapng(file: Blob, piece: number): AsyncGenerator<Piece> {
  let blocks: Uint8Array[] = [];
  let little = true;
  const order = (v: DataView, at: number) => v.getUint32(at + 8) === 0x4d3c2b1a;
  const measure: Measure = (v, at) => {
    if (at + 12 > v.byteLength) return 0;
    if (v.getUint32(at) === 0x0a0d0d0a) return v.getUint32(at + 4, order(v, at));
    return v.getUint32(at + 4, little);
  };
  yield* cut(file, 0, () => blocks, measure, (v, at, length) => {
    const section = v.getUint32(at) === 0x0a0d0d0a;
    if (section) little = order(v, at), (blocks = []);
    if (section || v.getUint32(at, little) === 1) blocks.push(new Uint8Array(v.buffer.slice(at, at + length)));
  }, piece);
}
