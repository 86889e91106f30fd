/**
 * QEMU Machine Protocol client: one JSON object a line over a unix socket; a greeting, `qmp_capabilities`, then commands
 * with ids and events in between (QEMU docs/interop/qmp-spec).
 */
import type { Duplex } from "node:stream";
import { BootwrightError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { onLines } from "./lines.ts";

export interface QmpEvent {
  readonly event: string;
  readonly data: { readonly [key: string]: Json };
}

export interface Qmp {
  /** Of the monitor, as `[7, 2, 22]`. */
  readonly version: readonly number[];
  /** Throws MACHINE_FAILED when the monitor refuses the command or is gone. */
  command(name: string, args?: { readonly [key: string]: Json }): Promise<Json>;
  close(): void;
}

// A monitor's answer is small; what is larger is no monitor.
const MAX_LINE = 4 * 1024 * 1024;

/** Greets and enters command mode. Throws MACHINE_FAILED when the peer does not speak QMP. */
export async function openQmp(stream: Duplex, onEvent: (event: QmpEvent) => void): Promise<Qmp> {
  const pending = new Map<number, { resolve: (value: Json) => void; reject: (error: Error) => void; name: string }>();
  let nextId = 1;
  let closed = false;
  const greeting = Promise.withResolvers<readonly number[]>();
  greeting.promise.catch(() => {}); // Awaited below; a peer that hangs up at once must not be an unhandled rejection.

  const fail = () => {
    closed = true;
    greeting.reject(gone("greeting"));
    for (const { reject, name } of pending.values()) reject(gone(name));
    pending.clear();
  };
  stream.on("error", fail);
  stream.on("close", fail);
  onLines(stream, { maxLine: MAX_LINE, onLine: receive });

  function receive(line: string): void {
    const message = parseObject(line);
    if (message === undefined) return;
    if (isObject(message.QMP)) greeting.resolve(versionOf(message.QMP));
    else if (typeof message.event === "string")
      onEvent({ event: message.event, data: isObject(message.data) ? message.data : {} });
    else if (typeof message.id === "number") {
      const waiting = pending.get(message.id);
      pending.delete(message.id);
      if (isObject(message.error))
        waiting?.reject(
          new BootwrightError("MACHINE_FAILED", `QEMU refused ${waiting.name}: ${String(message.error.desc)}`),
        );
      else waiting?.resolve(message.return ?? null);
    }
  }

  function command(name: string, args?: { readonly [key: string]: Json }): Promise<Json> {
    if (closed) return Promise.reject(gone(name));
    const id = nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Json>();
    pending.set(id, { resolve, reject, name });
    stream.write(`${JSON.stringify({ execute: name, id, ...(args === undefined ? {} : { arguments: args }) })}\n`);
    return promise;
  }

  const version = await greeting.promise;
  await command("qmp_capabilities");
  return { version, command, close: () => stream.destroy() };
}

const gone = (name: string): BootwrightError =>
  new BootwrightError("MACHINE_FAILED", `QEMU closed its monitor before it answered ${name}`);

type JsonObject = { readonly [key: string]: Json };

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseObject(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function versionOf(greeting: JsonObject): readonly number[] {
  const version = isObject(greeting.version) && isObject(greeting.version.qemu) ? greeting.version.qemu : {};
  return [version.major, version.minor, version.micro].map((part) => (typeof part === "number" ? part : 0));
}
