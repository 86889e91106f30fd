/**
 * Publishers that are killed, and publishers that race, at each kind of place: no name that means half a file, none that is lost, none
 * that means another's bytes. A small sample; BOOTWRIGHT_TEST_FULL=1 runs 100 kills, 50 pairs and 50 sweeps a place, and Swift beside Ceph.
 */
import { spawn } from "node:child_process";
import { createHash, randomInt } from "node:crypto";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "vitest";
import { parseOciContent } from "../../src/formats/oci-content.ts";
import { headManifest } from "../../src/oci/manifests.ts";
import { pullBlob } from "../../src/oci/pull-blob.ts";
import { Registry } from "../../src/oci/registry.ts";
import { openRepository } from "../../src/oci/repository.ts";
import { contentPath, readPublications } from "../../src/publish/read.ts";
import type { PublishedFile } from "../../src/publish/state.ts";
import { type S3Server, startCeph } from "../servers/ceph.ts";
import { startSwift } from "../servers/swift.ts";
import { dockerRegistry } from "../support/registry.ts";
import { temporaryDir } from "../support/test-session.ts";
import { contentOf, openTestTarget, type TestPlace } from "./test-place.ts";

const FULL = process.env.BOOTWRIGHT_TEST_FULL === "1";
const [KILLS, PAIRS, SWEEPS] = FULL ? [100, 50, 50] : [6, 3, 1];
const signal = new AbortController().signal;
const MAX = 1024 * 1024;

const stores = new Map<string, S3Server>();
afterAll(async () => {
  for (const store of stores.values()) await store.stop();
});

async function bucketAt(kind: string, prefix: string): Promise<TestPlace> {
  const store = stores.get(kind) ?? (await (kind === "ceph" ? startCeph : startSwift)(temporaryDir("bootwright-s3-")));
  if (!stores.has(kind)) {
    stores.set(kind, store);
    const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = store;
    const sdk = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
    await sdk.send(new CreateBucketCommand({ Bucket: "releases" }));
  }
  const { stop: _, ...at } = store;
  return { type: "bucket", ...at, prefix };
}

const PLACES: Readonly<Record<string, (name: string) => Promise<TestPlace>>> = {
  directory: async () => ({ type: "directory", dir: temporaryDir() }),
  ceph: (prefix) => bucketAt("ceph", prefix),
  // Has no conditional writes: each change is a lease of more than a second.
  ...(FULL && { swift: (prefix: string) => bucketAt("swift", prefix) }),
  registry: async (repository) => ({ type: "registry", host: (await dockerRegistry()).host, repository }),
};

/** Each publisher comes later than the one before: then the claims of the dead in a registry do not hold it up. */
let later = 0;

const start = (place: TestPlace, version: string, who = "") =>
  startProgram("publisher.ts", { place, version, who, later });

function startProgram(program: string, order: object) {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, program), JSON.stringify(order)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const ended = new Promise<string>((resolve) => child.once("close", () => resolve(lines.at(-1) ?? "")));
  const going = new Promise<void>((resolve) => {
    createInterface(child.stdout).on("line", (line) => {
      lines.push(line);
      resolve();
    });
    child.once("close", () => resolve());
  });
  return { child, going, ended };
}

/** What a name means now, as any reader gets it; undefined when nothing. */
async function meaning(place: TestPlace, name: string): Promise<string | undefined> {
  if (place.type !== "registry")
    return (await openTestTarget(place).documents.read(name, { maxSize: MAX, signal }))?.toString();
  const { host, repository } = place;
  const registry = new Registry(host, { credentials: async () => undefined, plainHttp: true, signal });
  if ((await headManifest(registry, { host, repository, tag: name })) === undefined) return undefined;
  const source = openRepository(registry, { repository });
  const { bytes, mediaType } = await source.resolve({ host, repository, tag: name });
  const content = parseOciContent(bytes, mediaType, name);
  const chunks: Uint8Array[] = [];
  if (content.kind === "manifest")
    for await (const chunk of pullBlob(registry, content.layers[0]!, { repository })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const nameOf = (place: TestPlace, version: string): string =>
  place.type === "registry" ? `v${version}` : `vmlinuz-${version}.efi`;

const latestOf = (place: TestPlace): string => (place.type === "registry" ? "latest" : "kernel-latest.efi");

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Holds at any moment. Gives what is published. */
async function check(place: TestPlace, tried: readonly string[]): Promise<readonly PublishedFile[]> {
  const { files } = await readPublications(openTestTarget(place).documents, signal);
  expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
  const latest = await meaning(place, latestOf(place));
  if (latest !== undefined) expect(files.map((file) => file.sha256)).toContain(sha256(latest));
  for (const version of tried.slice(-3)) {
    const text = await meaning(place, nameOf(place, version));
    const file = files.find((one) => one.version === version);
    if (text !== undefined) expect(sha256(text)).toBe(file?.sha256);
    if (file !== undefined && place.type !== "registry")
      expect(sha256((await meaning(place, contentPath(file)))!)).toBe(file.sha256);
  }
  if (place.type !== "registry") {
    const names = (await meaning(place, "kernels.txt"))?.trimEnd().split("\n") ?? [];
    for (const name of names) expect(files.map((file) => file.name)).toContain(name);
    const list = JSON.parse((await meaning(place, "kernels.json")) ?? '{"kernels":[],"count":0}');
    expect(list.kernels).toHaveLength(list.count);
  }
  return files;
}

/** Holds when nobody publishes, and the last one was not killed. */
async function checkSettled(place: TestPlace, tried: readonly string[]): Promise<void> {
  const files = await check(place, tried);
  expect(files.map(({ version }) => version).sort()).toEqual([...tried].sort());
  expect(await meaning(place, latestOf(place))).toBe(contentOf(files[0]!.version, ""));
  for (const { version, name } of FULL ? files.slice(0, 4) : files)
    expect(await meaning(place, nameOf(place, version)), name).toBe(contentOf(version, ""));
  if (place.type !== "registry")
    expect(await meaning(place, "kernels.txt")).toBe(files.map(({ name }) => `${name}\n`).join(""));
}

describe.each(Object.keys(PLACES))("%s", (type) => {
  test(
    `${KILLS} publishers killed at random moments`,
    async () => {
      const place = await PLACES[type]!("killed/kernels");
      const tried: string[] = [];
      let longest = 300;
      const counts = { before: 0, committed: 0, done: 0 };
      for (let i = 0; i < KILLS; i++) {
        later += 5 * 60_000;
        const version = `1.0.${i}`;
        const { child, going, ended } = start(place, version);
        await going;
        await sleep(randomInt(0, longest));
        child.kill("SIGKILL");
        const last = await ended;
        const files = await check(place, [...tried, version]);
        const listed = files.some((file) => file.version === version);
        counts[last === "published" ? "done" : listed ? "committed" : "before"]++;
        expect(
          files
            .map((file) => file.version)
            .filter((one) => one !== version)
            .sort(),
        ).toEqual([...tried].sort());
        later += 5 * 60_000;
        const next = start(place, version);
        await next.going;
        const gone = performance.now();
        expect(await next.ended).toBe("published");
        longest = Math.ceil((longest + (performance.now() - gone)) / 2);
        tried.push(version);
        await checkSettled(place, tried);
      }
      if (FULL)
        process.stderr.write(
          `${type}: killed before the commit ${counts.before}, behind it ${counts.committed}, too late ${counts.done}\n`,
        );
    },
    FULL ? 3_600_000 : 240_000,
  );

  test(
    `${PAIRS} pairs of publishers at once`,
    async () => {
      const place = await PLACES[type]!("raced/kernels");
      const tried: string[] = [];
      for (let i = 0; i < PAIRS; i++) {
        later += 5 * 60_000;
        const versions = [`2.${i}.0`, `2.${i}.1`];
        const both = versions.map((version) => start(place, version));
        expect(await Promise.all(both.map(({ ended }) => ended))).toEqual(["published", "published"]);
        tried.push(...versions);
        await checkSettled(place, tried);
      }
      if (FULL) process.stderr.write(`${type}: ${tried.length / 2} pairs raced\n`);
    },
    FULL ? 3_600_000 : 240_000,
  );

  if (type !== "registry")
    test(
      `${SWEEPS} pairs of publishers among sweepers, and what dead ones have left`,
      async () => {
        const place = await PLACES[type]!("swept/kernels");
        const tried: string[] = [];
        for (let i = 0; i < SWEEPS; i++) {
          const version = `4.0.${i}`;
          // One that died before it named what it had put.
          const dead = start(place, version);
          await dead.going;
          await sleep(randomInt(0, 300));
          dead.child.kill("SIGKILL");
          await dead.ended;
          const publishers = [start(place, version), start(place, `4.1.${i}`)];
          const sweepers = [startProgram("sweeper.ts", { place }), startProgram("sweeper.ts", { place })];
          expect(await Promise.all(publishers.map(({ ended }) => ended))).toEqual(["published", "published"]);
          for (const { ended } of sweepers) expect(await ended).toMatch(/^\d+ swept$/);
          tried.push(version, `4.1.${i}`);
          await checkSettled(place, tried);
        }
        expect(await startProgram("sweeper.ts", { place }).ended).toMatch(/^\d+ swept$/);
        await checkSettled(place, tried);
        for (const file of await check(place, tried))
          expect(sha256((await meaning(place, contentPath(file)))!)).toBe(file.sha256);
      },
      FULL ? 3_600_000 : 240_000,
    );

  test(
    "of two who mean other bytes by one name, one is refused",
    async () => {
      const place = await PLACES[type]!("one/kernels");
      for (let i = 0; i < PAIRS; i++) {
        later += 5 * 60_000;
        const version = `3.0.${i}`;
        const both = ["", " of another"].map((who) => start(place, version, who));
        expect((await Promise.all(both.map(({ ended }) => ended))).sort()).toEqual(["EXISTS", "published"]);
        const files = await check(place, [version]);
        expect(sha256((await meaning(place, nameOf(place, version)))!)).toBe(files[0]!.sha256);
      }
    },
    FULL ? 3_600_000 : 240_000,
  );
});
