/** What servers for tests and measurements share: a free port on loopback, a process, a first answer. Whoever starts one stops it. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import http from "node:http";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * A port that nobody listens on, a moment ago at least. Below those that the kernel gives to outgoing connections: one of
 * these could take it before the server does.
 */
export async function freePort(): Promise<number> {
  for (let i = 0; i < 100; i++) {
    const port = randomInt(20_000, 32_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error("no free port");
}

export interface ServerProcess {
  /** All that it has said. */
  readonly log: () => string;
  /** Throws, with its log, when it has ended. */
  readonly check: () => void;
  readonly stop: () => Promise<void>;
}

export function startServer(
  argv: readonly string[],
  { env = {} }: { env?: Readonly<Record<string, string>> } = {},
): ServerProcess {
  const child = spawn(argv[0]!, argv.slice(1), {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", ...env },
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
  return {
    log: () => log,
    stop: () => ended(child),
    check: () => {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`${argv.join(" ")} ended with ${child.exitCode ?? child.signalCode}:\n${log.slice(-4000)}`);
    },
  };
}

/** Several servers that make one: all of them are stopped together, also when not all could be started. */
export async function startTogether<T>(
  work: (start: typeof startServer) => Promise<T>,
): Promise<T & Pick<ServerProcess, "stop">> {
  const servers: ServerProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const server of servers.toReversed()) await server.stop();
  };
  try {
    const made = await work((argv, options) => {
      const server = startServer(argv, options);
      servers.push(server);
      return server;
    });
    return { ...made, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until the address gives any answer. */
export async function answering(url: string, check: () => void): Promise<void> {
  for (let i = 0; i < 6000; i++) {
    check();
    const answered = await new Promise<boolean>((resolve) => {
      const request = http.get(url, (response) => {
        response.resume();
        resolve(true);
      });
      request.on("error", () => resolve(false));
    });
    if (answered) return;
    await sleep(50);
  }
  throw new Error(`${url} does not answer`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
