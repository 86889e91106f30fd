/** Ceph's object gateway on loopback, with a monitor and one store in memory: S3 as a large store speaks it. Whoever starts it stops it. */
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { needProgram } from "../support/need-program.ts";
import { answering, freePort, type startServer, startTogether } from "./server-process.ts";

export interface S3Server {
  /** "http://127.0.0.1:PORT" */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly stop: () => Promise<void>;
}

const ATTEMPTS = 3;

/**
 * `dir` is its own. On a busy machine a monitor that has just begun now and then answers "wrong fsid" to its own cluster's first
 * commands: then all of it is begun anew.
 */
export async function startCeph(dir: string): Promise<S3Server> {
  for (let attempt = 1; ; attempt++) {
    const own = path.join(dir, String(attempt));
    fs.mkdirSync(own, { recursive: true });
    try {
      return await startTogether((start) => startAll(own, start));
    } catch (error) {
      if (attempt === ATTEMPTS || !/EPERM|Operation not permitted/.test(String(error))) throw error;
    }
  }
}

async function startAll(dir: string, start: typeof startServer): Promise<Omit<S3Server, "stop">> {
  const [monitor, gateway] = [await freePort(), await freePort()];
  const file = path.join(dir, "ceph.conf");
  const fsid = randomUUID();
  fs.writeFileSync(file, config(dir, { fsid, monitor, gateway }));
  const run = (program: string, debian: string, ...args: string[]) =>
    execFileSync(needProgram(program, debian), ["-c", file, ...args], { stdio: "pipe", timeout: 120_000 });
  const serve = (program: string, debian: string, ...args: string[]) =>
    start([needProgram(program, debian), "-c", file, ...args]);
  const map = path.join(dir, "monmap");
  execFileSync(
    needProgram("monmaptool", "ceph-base"),
    ["--create", "--addv", "a", `v1:127.0.0.1:${monitor}`, "--fsid", fsid, map],
    { stdio: "pipe" },
  );
  run("ceph-mon", "ceph-mon", "--mkfs", "-i", "a", "--monmap", map);
  serve("ceph-mon", "ceph-mon", "-i", "a", "-f");
  const osd = randomUUID();
  run("ceph", "ceph-common", "osd", "new", osd);
  run("ceph-osd", "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd);
  const osdServer = serve("ceph-osd", "ceph-osd", "-i", "0", "-f");
  run("ceph", "ceph-common", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost");
  // The gateway makes its pools at its start, and waits for ever for a store that comes later.
  while (!JSON.parse(run("ceph", "ceph-common", "osd", "stat", "-f", "json").toString()).num_up_osds) {
    osdServer.check();
    await sleep(200);
  }
  const rgw = serve("radosgw", "radosgw", "-n", "client.rgw", "-f");
  const endpoint = `http://127.0.0.1:${gateway}`;
  await answering(endpoint, rgw.check);
  const [accessKey, secretKey] = ["AKTEST", "SKTEST/+secret"];
  const user = ["--uid=test", "--display-name=test", `--access-key=${accessKey}`, `--secret-key=${secretKey}`];
  run("radosgw-admin", "radosgw", "-n", "client.rgw", "user", "create", ...user);
  return { endpoint, region: "default", accessKey, secretKey };
}

function config(dir: string, { fsid, monitor, gateway }: { fsid: string; monitor: number; gateway: number }): string {
  const inside = (name: string): string => {
    fs.mkdirSync(path.join(dir, name), { recursive: true });
    return path.join(dir, name);
  };
  return `[global]
fsid = ${fsid}
mon_host = v1:127.0.0.1:${monitor}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr2 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
run_dir = ${inside("run")}
log_file = ${inside("log")}/$name.log
pid_file = ${dir}/run/$name.pid
admin_socket =
mon_data = ${inside("mon")}
osd_data = ${inside("osd")}

[osd]
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_class_load_list = *
osd_class_default_list = *

[client.rgw]
rgw_data = ${inside("rgw")}
rgw_frontends = beast endpoint=127.0.0.1:${gateway}
rgw_dns_name = localhost
rgw_enable_apis = s3
`;
}
