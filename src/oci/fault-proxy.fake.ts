/**
 * A proxy before a registry that does to requests and answers what networks do: refuses, resets, loses, cuts, stalls, changes
 * bytes. One fault a request, by method and path.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";

export type Fault =
  /** Answers by itself; the registry hears nothing of it. */
  | { readonly kind: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Takes so many bytes of the request's body along, then resets. */
  | { readonly kind: "resetRequest"; readonly after: number }
  /** The registry does it, and its answer is lost. */
  | { readonly kind: "loseAnswer" }
  /** Resets after so many bytes of the answer's body. */
  | { readonly kind: "reset"; readonly after: number }
  /** Says that the answer is so short, and sends that. */
  | { readonly kind: "truncate"; readonly to: number }
  /** Sends so many bytes, and then nothing more. */
  | { readonly kind: "stall"; readonly after: number }
  /** Changes a byte of the answer's body. */
  | { readonly kind: "corrupt"; readonly at: number }
  /** Changes a byte of the request's body. */
  | { readonly kind: "corruptRequest"; readonly at: number }
  /** Says another digest than the answer's. */
  | { readonly kind: "lieDigest" };

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
}

export interface FaultProxy {
  readonly host: string;
  /** Asked for each request; the count is that of this method and path's kind. */
  fault: (request: Seen) => Fault | undefined;
  readonly seen: Seen[];
  close(): Promise<void>;
}

const FALSE_DIGEST = `sha256:${"0".repeat(64)}`;

/** `target` is "127.0.0.1:PORT". */
export async function faultProxy(target: string): Promise<FaultProxy> {
  const [hostname, port] = target.split(":");
  const seen: Seen[] = [];
  const server = http.createServer((request, response) => {
    const one = { method: request.method!, path: request.url!, headers: request.headers };
    seen.push(one);
    const fault = proxy.fault(one);
    if (fault?.kind === "status") {
      request.resume();
      request.once("end", () => response.writeHead(fault.status, fault.headers).end('{"errors":[]}'));
      return;
    }
    const upstream = http.request({ hostname, port, method: one.method, path: one.path, headers: one.headers });
    upstream.on("error", () => response.destroy());
    upstream.on("response", (answer) => pass(answer, response, fault));
    let taken = 0;
    request.on("error", () => upstream.destroy());
    request.on("data", (chunk: Buffer) => {
      const before = taken;
      taken += chunk.length;
      if (fault?.kind === "corruptRequest" && before <= fault.at && fault.at < taken) flip(chunk, fault.at - before);
      if (fault?.kind === "resetRequest" && taken > fault.after) {
        upstream.write(chunk.subarray(0, fault.after - before));
        setTimeout(() => {
          upstream.destroy();
          request.socket.destroy();
        }, 20);
        request.removeAllListeners("data");
        request.pause();
        return;
      }
      upstream.write(chunk);
    });
    request.on("end", () => {
      if (fault?.kind === "resetRequest" && taken <= fault.after) request.socket.destroy();
      else upstream.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const proxy: FaultProxy = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault: () => undefined,
    seen,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

function pass(answer: http.IncomingMessage, response: http.ServerResponse, fault: Fault | undefined): void {
  if (fault?.kind === "loseAnswer") {
    answer.resume();
    answer.once("end", () => response.destroy());
    return;
  }
  const headers = { ...answer.headers };
  if (fault?.kind === "lieDigest") headers["docker-content-digest"] = FALSE_DIGEST;
  if (fault?.kind === "truncate") headers["content-length"] = String(fault.to);
  response.writeHead(answer.statusCode!, headers);
  response.flushHeaders();
  let sent = 0;
  answer.on("data", (chunk: Buffer) => {
    const before = sent;
    sent += chunk.length;
    switch (fault?.kind) {
      case "reset":
      case "stall":
        if (sent <= fault.after) break;
        response.write(chunk.subarray(0, Math.max(0, fault.after - before)));
        answer.removeAllListeners("data").removeAllListeners("end").resume();
        if (fault.kind === "reset") setTimeout(() => response.destroy(), 5);
        return;
      case "truncate":
        if (before < fault.to) response.write(chunk.subarray(0, fault.to - before));
        return;
      case "corrupt":
        if (before <= fault.at && fault.at < sent) flip(chunk, fault.at - before);
        break;
      default:
    }
    if (!response.write(chunk)) {
      answer.pause();
      response.once("drain", () => answer.resume());
    }
  });
  answer.on("end", () => response.end());
}

function flip(chunk: Buffer, at: number): void {
  chunk[at]! ^= 1;
}
