/**
 * OpenStack Swift on loopback, through its S3 interface: no conditional writes, its own ideas of some answers. Whoever
 * starts it stops it. It keeps its data in extended attributes, which the temporary directory's file system must have.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { needProgram } from "../support/need-program.ts";
import type { S3Server } from "./ceph.ts";
import { answering, freePort, type startServer, startTogether } from "./server-process.ts";

const KINDS = ["account", "container", "object"] as const;

/** `dir` is its own. */
export const startSwift = (dir: string): Promise<S3Server> => startTogether((start) => startAll(dir, start));

async function startAll(dir: string, start: typeof startServer): Promise<Omit<S3Server, "stop">> {
  fs.mkdirSync(path.join(dir, "devices/d1"), { recursive: true });
  fs.mkdirSync(path.join(dir, "run"));
  fs.writeFileSync(
    path.join(dir, "swift.conf"),
    "[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = b\n",
  );
  const user = process.getuid?.() === 0 ? "root" : execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
  const common = `swift_dir = ${dir}\nbind_ip = 127.0.0.1\nuser = ${user}\nworkers = 0\nlog_level = ERROR\n`;
  const serve = (kind: string, file: string) =>
    start([needProgram(`swift-${kind}-server`, `swift-${kind}`), file], { env: { SWIFT_DIR: dir, HOME: dir } });
  for (const kind of KINDS) {
    const port = await freePort();
    const builder = path.join(dir, `${kind}.builder`);
    const ring = (...args: string[]) =>
      execFileSync(needProgram("swift-ring-builder", "swift"), [builder, ...args], { stdio: "pipe" });
    ring("create", "4", "1", "0");
    ring("add", `r1z1-127.0.0.1:${port}/d1`, "1");
    ring("rebalance");
    const file = path.join(dir, `${kind}.conf`);
    const app = `[pipeline:main]\npipeline = ${kind}-server\n[app:${kind}-server]\nuse = egg:swift#${kind}\n`;
    const devices = `devices = ${dir}/devices\nmount_check = false\ndisable_fallocate = true\n`;
    fs.writeFileSync(file, `[DEFAULT]\n${common}bind_port = ${port}\n${devices}${app}`);
    serve(kind, file);
  }
  const port = await freePort();
  const file = path.join(dir, "proxy.conf");
  fs.writeFileSync(file, `[DEFAULT]\n${common}bind_port = ${port}\n${PROXY}`);
  const proxy = serve("proxy", file);
  const endpoint = `http://127.0.0.1:${port}`;
  await answering(endpoint, proxy.check);
  return { endpoint, region: "us-east-1", accessKey: "test:tester", secretKey: SECRET };
}

/** Unlike any text that a kernel has in it. */
const SECRET = "swift-SK-of-the-tests";

const FILTERS = {
  ...{ catch_errors: "catch_errors", gatekeeper: "gatekeeper", listing_formats: "listing_formats", cache: "memcache" },
  ...{ bulk: "bulk", s3api: "s3api", tempauth: "tempauth", copy: "copy", slo: "slo", dlo: "dlo" },
  ...{ versioned_writes: "versioned_writes", symlink: "symlink" },
};
const SETTINGS: Readonly<Record<string, string>> = {
  tempauth: `user_test_tester = ${SECRET} .admin\n`,
  s3api: "location = us-east-1\nmin_segment_size = 5242880\n",
  versioned_writes: "allow_versioned_writes = true\n",
};

const PROXY = [
  `[pipeline:main]\npipeline = ${Object.keys(FILTERS).join(" ")} proxy-server\n`,
  "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\nallow_account_management = true\n",
  ...Object.entries(FILTERS).map(([name, egg]) => `[filter:${name}]\nuse = egg:swift#${egg}\n${SETTINGS[name] ?? ""}`),
].join("");
