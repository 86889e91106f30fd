/**
 * Debian's docker-registry on loopback, with a configuration of its own: the packaged one listens on all interfaces. Open, with
 * passwords (htpasswd) or with tokens. Whoever starts it stops it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { needProgram } from "../support/need-program.ts";

export interface RegistryServer {
  /** "127.0.0.1:PORT". */
  readonly host: string;
  /** Where its blobs lie. */
  readonly root: string;
  /** All that it has said. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

export interface TokenAuth {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** PEM file. */
  readonly certificate: string;
}

export interface RegistryServerOptions {
  /** A line of an htpasswd file, in bcrypt. */
  readonly htpasswd?: string;
  readonly token?: TokenAuth;
  /** Redirects and the like: further members of the configuration, in JSON. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** `dir` is its own. */
export async function startDockerRegistry(dir: string, options: RegistryServerOptions = {}): Promise<RegistryServer> {
  fs.mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const root = path.join(dir, "root");
  const config = {
    version: "0.1",
    log: { accesslog: { disabled: true }, level: "warn" },
    storage: { filesystem: { rootdirectory: root }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, secret: "of the tests" },
    ...authOf(options, dir),
    ...options.extra,
  };
  const file = path.join(dir, "config.yml"); // JSON is YAML.
  fs.writeFileSync(file, JSON.stringify(config));
  const child = spawn(needProgram("docker-registry", "docker-registry"), ["serve", file], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", OTEL_TRACES_EXPORTER: "none" },
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
  await answering(`http://127.0.0.1:${port}/v2/`, () => {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}:\n${log}`);
  });
  return { host: `127.0.0.1:${port}`, root, log: () => log, stop: () => ended(child) };
}

function authOf({ htpasswd, token }: RegistryServerOptions, dir: string): object {
  if (htpasswd !== undefined) {
    const file = path.join(dir, "htpasswd");
    fs.writeFileSync(file, htpasswd);
    return { auth: { htpasswd: { realm: "tests", path: file } } };
  }
  if (token === undefined) return {};
  const { certificate, ...rest } = token;
  return { auth: { token: { ...rest, rootcertbundle: certificate } } };
}

/** A port that nobody listens on, a moment ago at least. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function answering(url: string, check: () => void): Promise<void> {
  for (let i = 0; i < 400; i++) {
    check();
    const answered = await new Promise<boolean>((resolve) => {
      const request = http.get(url, (response) => {
        response.resume();
        resolve(true);
      });
      request.on("error", () => resolve(false));
    });
    if (answered) return;
    await sleep(25);
  }
  throw new Error(`${url} does not answer`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
