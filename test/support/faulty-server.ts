/**
 * A loopback HTTP server that misbehaves as told, one fault a request: what networks and mirrors really do. It counts the
 * bytes of bodies that it has sent, so that a test can see that only the missing part was fetched again.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";

export type Fault =
  /** Closes the connection after so many bytes of the body. */
  | { readonly drop: number }
  /** Says that the body is shorter than it is, and sends that much. */
  | { readonly truncate: number }
  /** Sends so many bytes, then nothing more, and keeps the connection. */
  | { readonly stall: number }
  /** Changes the byte at this place of the body. */
  | { readonly corrupt: number }
  | { readonly redirect: string; readonly status?: number }
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Answers a request for a range with the whole. */
  | { readonly ignoreRange: true }
  /** Sends pieces of so many bytes, waiting between them. */
  | { readonly drip: number; readonly everyMs: number }
  /** Sends a chunked body that ends with its last byte, but without the end mark. */
  | { readonly noEnd: true };

export interface Request {
  readonly path: string;
  readonly range: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
}

export interface FaultyServerOptions {
  /** Bodies by path. They may be changed later. */
  readonly files: Record<string, Buffer>;
  /** One for each request in turn, whatever its path; `undefined` and what comes after the last is served well. */
  readonly faults?: readonly (Fault | undefined)[];
  /** Sends an ETag of the content; default true. */
  readonly etags?: boolean;
}

export interface FaultyServer {
  readonly url: string;
  readonly files: Record<string, Buffer>;
  readonly faults: (Fault | undefined)[];
  readonly requests: Request[];
  /** Bytes of bodies sent so far. */
  readonly sent: () => number;
}

/** Ends with the test. */
export async function faultyServer(options: FaultyServerOptions): Promise<FaultyServer> {
  const { files, etags = true } = options;
  const faults = [...(options.faults ?? [])];
  const requests: Request[] = [];
  let sent = 0;
  const server = http.createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "/");
    requests.push({ path, range: request.headers.range, headers: request.headers });
    const fault = faults.shift() ?? {};
    const write = (bytes: Buffer) => {
      sent += bytes.length;
      return new Promise<void>((resolve) => response.write(bytes, () => resolve()));
    };
    void answer({ fault, body: files[path], request, response, write, etags }).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, files, faults, requests, sent: () => sent };
}

interface Exchange {
  readonly fault: Partial<Record<string, unknown>> & object;
  readonly body: Buffer | undefined;
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly write: (bytes: Buffer) => Promise<void>;
  readonly etags: boolean;
}

async function answer(exchange: Exchange): Promise<void> {
  const { request, response, write, etags } = exchange;
  const fault = exchange.fault as Fault;
  if ("redirect" in fault) return void response.writeHead(fault.status ?? 302, { location: fault.redirect }).end();
  if ("status" in fault) return void response.writeHead(fault.status, fault.headers).end("trouble");
  if (exchange.body === undefined) return void response.writeHead(404).end("not here");
  let { body } = exchange;
  const etag = `"${body.length}-${body.subarray(0, 8).toString("hex")}"`;
  if ("corrupt" in fault) {
    body = Buffer.from(body);
    body[fault.corrupt]! ^= 0xff;
  }
  const from = "ignoreRange" in fault ? 0 : rangeStart(request, etag);
  if (from > 0 && from >= body.length)
    return void response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
  const part = body.subarray(from);
  const length = "truncate" in fault ? fault.truncate : part.length;
  response.writeHead(from > 0 ? 206 : 200, {
    ...("noEnd" in fault ? {} : { "content-length": String(length) }),
    ...(etags && { etag }),
    ...(from > 0 && { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` }),
  });
  if ("drip" in fault) {
    for (let at = 0; at < part.length && !response.destroyed; at += fault.drip) {
      await write(part.subarray(at, at + fault.drip));
      await sleep(fault.everyMs);
    }
    return void response.end();
  }
  const end = "drop" in fault ? fault.drop : "stall" in fault ? fault.stall : length;
  await write(part.subarray(0, end));
  if ("drop" in fault || "noEnd" in fault) {
    await sleep(20); // What was written reaches the other side before the connection is reset.
    response.destroy();
  } else if (!("stall" in fault)) response.end();
}

/** Where to start: `If-Range` with another ETag asks for the whole. */
function rangeStart(request: http.IncomingMessage, etag: string): number {
  const wanted = request.headers["if-range"];
  if (wanted !== undefined && wanted !== etag) return 0;
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
}
