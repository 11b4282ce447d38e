// Server-Sent Events by fetch: unlike EventSource it tells why a stream was refused, and can go on behind an event.

export interface SseEvent {
  type: string;
  data: string;
  id: string;
}

/** Cuts a stream of text into events (HTML, section 9.2.6), whatever the pieces. */
export class SseParser {
  private rest = "";
  private data: string[] = [];
  private type = "";
  lastId = "";
  retry = 2000;

  push(text: string, on: (event: SseEvent) => void): void {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop()!;
    for (const line of lines) this.line(line, on);
  }

  private line(line: string, on: (event: SseEvent) => void): void {
    if (line === "") {
      if (this.data.length > 0) on({ type: this.type || "message", data: this.data.join("\n"), id: this.lastId });
      this.data = [];
      this.type = "";
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.data.push(value);
    else if (field === "event") this.type = value;
    else if (field === "id") this.lastId = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
  }
}
