/** Lines from a stream that nobody controls: a line over the bound is dropped, never kept in memory. */
import type { Readable } from "node:stream";

export interface LineOptions {
  /** Bytes; a longer line is dropped whole and `onTooLong` is told once for it. */
  readonly maxLine: number;
  readonly onLine: (line: string) => void;
  readonly onTooLong?: () => void;
}

/** Calls `onLine` for each complete line, without its end (`\n` or `\r\n`). Bytes that are not UTF-8 become U+FFFD. */
export function onLines(stream: Readable, options: LineOptions): void {
  let parts: Buffer[] = [];
  let size = 0;
  let skipping = false;
  stream.on("data", (data: Buffer | string) => {
    const chunk = typeof data === "string" ? Buffer.from(data) : data;
    let from = 0;
    while (from < chunk.length) {
      const end = chunk.indexOf(0x0a, from);
      add(chunk.subarray(from, end === -1 ? chunk.length : end));
      if (end === -1) return;
      finish();
      from = end + 1;
    }
  });

  function add(piece: Buffer): void {
    if (skipping) return;
    size += piece.length;
    if (size <= options.maxLine) {
      if (piece.length > 0) parts.push(piece);
      return;
    }
    skipping = true;
    parts = [];
    options.onTooLong?.();
  }

  function finish(): void {
    const line = Buffer.concat(parts).toString("utf8");
    const whole = !skipping;
    parts = [];
    size = 0;
    skipping = false;
    if (whole) options.onLine(line.endsWith("\r") ? line.slice(0, -1) : line);
  }
}
