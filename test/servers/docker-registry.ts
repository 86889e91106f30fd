/**
 * Debian's docker-registry on loopback, with a configuration of its own: the packaged one listens on all interfaces. Open, with
 * passwords (htpasswd) or with tokens. Whoever starts it stops it.
 */
import fs from "node:fs";
import path from "node:path";
import { needProgram } from "../support/need-program.ts";
import { answering, freePort, startServer } from "./server-process.ts";

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
  const server = startServer([needProgram("docker-registry", "docker-registry"), "serve", file], {
    env: { OTEL_TRACES_EXPORTER: "none" },
  });
  await answering(`http://127.0.0.1:${port}/v2/`, server.check);
  return { host: `127.0.0.1:${port}`, root, log: server.log, stop: server.stop };
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
