/**
 * A layer of 1 GiB to a registry and back, beside skopeo: the same layout, the same registry (Debian's, on loopback), one run
 * after the other. Both hash what they send; both hold what they get against its digest.
 */
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { createGzip } from "node:zlib";
import { digestOf } from "../src/base/digest.ts";
import { hashFile } from "../src/store/blobs.ts";
import { startDockerRegistry } from "../test/servers/docker-registry.ts";
import type { BenchRow } from "./formats.ts";
import type { MemoryBench } from "./oci.ts";

const SIZE = 2 ** 30;
const ROUNDS = 3;

export async function rows(bench: MemoryBench): Promise<BenchRow[]> {
  const project = bench.makeProject("registry", "// Only a directory.\n");
  await writeLayout(path.join(project, "layout"));
  const server = await startDockerRegistry(path.join(project, "registry"));
  try {
    const times = {
      ours: { push: [] as number[], pull: [] as number[] },
      theirs: { push: [] as number[], pull: [] as number[] },
    };
    const memory = { push: 0, pull: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const name = (who: string) => `${server.host}/bench/${who}${round}:1`;
      const empty = () => fs.rmSync(server.root, { recursive: true, force: true }); // Or the second would mount the first's.
      empty();
      const ours = bench.measured(project, "oci", "copy", "oci:layout:1", name("ours"), "--plain-http");
      empty();
      times.theirs.push.push(skopeo(project, "oci:layout:1", `docker://${name("theirs")}`));
      const back = bench.measured(project, "oci", "copy", name("theirs"), `oci:ours${round}:1`, "--plain-http");
      times.theirs.pull.push(skopeo(project, `docker://${name("theirs")}`, `oci:theirs${round}:1`));
      times.ours.push.push(ours.ms);
      times.ours.pull.push(back.ms);
      memory.push = Math.max(memory.push, ours.memory);
      memory.pull = Math.max(memory.pull, back.memory);
      for (const who of ["ours", "theirs"]) fs.rmSync(path.join(project, `${who}${round}`), { recursive: true });
    }
    return (["push", "pull"] as const).flatMap((way): BenchRow[] => {
      const [ours, theirs] = [times.ours[way], times.theirs[way]].map((all) => [...all].sort((a, b) => a - b)[1]!) as [
        number,
        number,
      ];
      return [
        {
          ...{ name: `1 GiB ${way}, registry`, ours, theirs, unit: "ms" },
          note: `bar ${Math.round(theirs / 0.9)}, 0.9 of their speed; theirs: skopeo copy`,
        },
        {
          name: `1 GiB ${way}, peak memory`,
          ours: memory[way],
          unit: "MiB",
          note: "bar 152, 160 MB; the largest of all rounds",
        },
      ];
    });
  } finally {
    await server.stop();
  }
}

function skopeo(cwd: string, from: string, to: string): number {
  const words = ["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false", from, to];
  const began = performance.now();
  const { status, stderr, error } = spawnSync("skopeo", words, { cwd, encoding: "utf8" });
  if (status !== 0) throw error ?? new Error(`skopeo ended with ${status}\n${stderr}`);
  return performance.now() - began;
}

/** One layer that does not compress, in gzip: so skopeo sends it as it is. */
async function writeLayout(layout: string): Promise<void> {
  const blobs = path.join(layout, "blobs/sha256");
  fs.mkdirSync(blobs, { recursive: true });
  const file = path.join(blobs, "layer");
  const gzip = createGzip({ level: 0 });
  const written = new Promise<void>((resolve, reject) => {
    gzip.pipe(fs.createWriteStream(file)).on("finish", resolve).on("error", reject);
  });
  const tar = createHash("sha256");
  const noise = randomBytes(2 ** 20);
  for (let at = 0; at < SIZE; at += noise.length) {
    noise.writeUInt32LE(at >>> 10, 0);
    tar.update(noise);
    if (!gzip.write(Buffer.from(noise))) await new Promise<void>((resolve) => gzip.once("drain", resolve));
  }
  gzip.end();
  await written;
  const layer = hashFile(file);
  fs.renameSync(file, path.join(blobs, layer.hash));
  const put = (mediaType: string, document: object) => {
    const text = JSON.stringify(document);
    const { hash, size } = digestOf(text);
    fs.writeFileSync(path.join(blobs, hash), text);
    return { mediaType, digest: `sha256:${hash}`, size };
  };
  const rootfs = { type: "layers", diff_ids: [`sha256:${tar.digest("hex")}`] };
  const type = (name: string) => `application/vnd.oci.image.${name}`;
  const config = put(type("config.v1+json"), { architecture: "amd64", os: "linux", config: {}, rootfs });
  const layers = [{ mediaType: type("layer.v1.tar+gzip"), digest: `sha256:${layer.hash}`, size: layer.size }];
  const mediaType = type("manifest.v1+json");
  const manifest = put(mediaType, { schemaVersion: 2, mediaType, config, layers });
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  fs.writeFileSync(path.join(layout, "index.json"), JSON.stringify(index));
  fs.writeFileSync(path.join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}
