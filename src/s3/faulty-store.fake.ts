/** An object store on loopback that keeps objects in memory, checks no signature, and misbehaves as told, one fault a request. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { Bucket, type BucketOptions } from "./bucket.ts";

export type StoreFault =
  | { readonly status: number; readonly code: string; readonly region?: string; readonly retryAfter?: number }
  /** Closes the connection without an answer. */
  | { readonly reset: "before" }
  /** Does what was asked, then closes the connection without an answer. */
  | { readonly reset: "after" }
  /** Ends the answer's body after so many bytes. */
  | { readonly cut: number };

export interface FaultyStore {
  readonly bucket: Bucket;
  readonly objects: Map<string, Buffer>;
  /** "METHOD /bucket/key", in order. */
  readonly requests: string[];
  readonly headers: http.IncomingHttpHeaders[];
}

/** Ends with the test. */
export async function faultyStore(
  faults: readonly (StoreFault | undefined)[],
  options: Partial<BucketOptions> = {},
): Promise<FaultyStore> {
  const left = [...faults];
  const objects = new Map<string, Buffer>();
  const requests: string[] = [];
  const headers: http.IncomingHttpHeaders[] = [];
  const server = http.createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const { pathname } = new URL(request.url!, "http://store");
    requests.push(`${request.method} ${decodeURIComponent(pathname)}`);
    headers.push(request.headers);
    const fault = left.shift();
    if (fault !== undefined && "reset" in fault && fault.reset === "before") return void request.socket.destroy();
    if (fault !== undefined && "status" in fault) {
      const { status, code, region, retryAfter } = fault;
      response.writeHead(status, retryAfter === undefined ? {} : { "retry-after": String(retryAfter) });
      return void response.end(
        `<?xml version="1.0"?><Error><Code>${code}</Code><Message>as told</Message>${region ? `<Region>${region}</Region>` : ""}</Error>`,
      );
    }
    if (fault !== undefined && "reset" in fault) {
      // As when the last hop breaks: the answer goes nowhere.
      const lost = new http.ServerResponse(request);
      answer({ request, response: lost, body, objects, cut: undefined });
      return void request.socket.destroy();
    }
    answer({ request, response, body, objects, cut: fault?.cut });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const bucket = new Bucket({
    ...{ name: "b", endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, region: "us-east-1" },
    ...{ addressing: "path", emit: () => {}, signal: new AbortController().signal, backoffMs: 1 },
    credentials: async () => ({ accessKey: "AK", secretKey: "SK", from: "the test" }),
    ...options,
  });
  return { bucket, objects, requests, headers };
}

function answer(exchange: {
  request: http.IncomingMessage;
  response: http.ServerResponse;
  body: Buffer;
  objects: Map<string, Buffer>;
  cut: number | undefined;
}): void {
  const { request, response, body, objects, cut } = exchange;
  const key = decodeURIComponent(new URL(request.url!, "http://store").pathname).replace(/^\/b\//, "");
  const found = objects.get(key);
  if (request.method === "PUT") {
    if (request.headers["if-none-match"] === "*" && found !== undefined) return void response.writeHead(412).end();
    objects.set(key, body);
    return void response.writeHead(200, { etag: '"e"' }).end();
  }
  if (request.method === "DELETE") {
    objects.delete(key);
    return void response.writeHead(204).end();
  }
  if (found === undefined) return void response.writeHead(404).end(request.method === "HEAD" ? "" : NO_SUCH_KEY);
  const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const rest = found.subarray(from);
  response.writeHead(from > 0 ? 206 : 200, {
    ...{ "content-length": rest.length, etag: '"e"' },
    ...(from > 0 && { "content-range": `bytes ${from}-${found.length - 1}/${found.length}` }),
  });
  if (request.method === "HEAD") return void response.end();
  if (cut === undefined) return void response.end(rest);
  response.write(rest.subarray(0, cut), () => response.destroy());
}

const NO_SUCH_KEY = '<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>';
