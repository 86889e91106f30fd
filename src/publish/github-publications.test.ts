import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { systemClock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import { type GithubFake, startGithubFake } from "./github.fake.ts";
import { Github } from "./github-api.ts";
import { readReleases } from "./github-publications.ts";
import { publishRelease } from "./github-release.ts";
import { findRelease, readWholeAsset } from "./github-releases.ts";

const TOKEN = "token-that-only-the-api-may-see";
const { signal } = new AbortController();
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

let fake: GithubFake;
beforeEach(async () => {
  fake = await startGithubFake({ token: TOKEN });
});
afterEach(() => fake.stop());

const open = ({ token = TOKEN as string | undefined, stallMs = 30_000 } = {}) =>
  new Github({
    ...{ api: fake.api, token, signal, backoffMs: 1, stallMs },
    clock: { ...systemClock, sleep: async () => {} },
  });

/** The name is the same in each release, as GitHub allows. */
async function publish(version: string, { latest = true } = {}): Promise<void> {
  const content = `kernel ${version}\n`.padEnd(100_000, "x");
  const local = path.join(tempDir(), "file");
  fs.writeFileSync(local, content);
  const about = { publication: "kernel", image: "efi", kind: "efi", name: "linux.efi", immutable: [], moving: [] };
  await publishRelease(open(), {
    ...{ repository: "o/r", tag: `v${version}`, latest, secret: undefined, signal, dryRun: false },
    ...{ now: "2026-01-02T03:04:05Z", beside: [] },
    files: [
      {
        ...{ ...about, version, arch: "x86_64", kernel: `${version}-own` },
        ...{ size: content.length, local, sha256: sha256(content) },
      },
    ],
  });
}

const versions = async (github = open()) => (await readReleases(github, "o/r")).files.map(({ version }) => version);

test("newest first, with what the API does not say, and which of them is the latest; others' releases are not ours", async () => {
  expect(await readReleases(open(), "o/r")).toEqual({ serial: 0, updated: undefined, settled: true, files: [] });
  await publish("1.0.0");
  await publish("1.1.0");
  await publish("1.0.1", { latest: false });
  const foreign = {
    id: 900,
    tag: "v0.9.0",
    latest: false,
    body: "",
    created: "",
    published: "2026-02-02T03:04:05Z",
    assets: [],
  };
  fake.releases.push({ ...foreign, draft: false }, { ...foreign, id: 901, draft: true });
  const found = await readReleases(open({ token: undefined }), "o/r");
  expect(found).toMatchObject({
    serial: 3,
    settled: true,
    files: [
      { version: "1.0.1", moving: [], address: "github:o/r@v1.0.1/linux.efi", publication: "kernel" },
      { version: "1.1.0", moving: ["latest"], kernel: "1.1.0-own", immutable: ["v1.1.0"] },
      { version: "1.0.0", moving: [], digest: sha256("kernel 1.0.0\n".padEnd(100_000, "x")) },
    ],
  });
});

test("more releases than a page holds", async () => {
  await publish("1.0.0");
  const [first] = fake.releases;
  for (let i = 1; i <= 120; i++)
    fake.releases.push({ ...first!, id: 1000 + i, tag: `v1.0.${i}`, latest: false, assets: [...first!.assets] });
  expect(await versions()).toHaveLength(121);
});

test("what was taken out of a release is not there; what was changed in it is told", async () => {
  await publish("1.0.0");
  const [release] = fake.releases;
  const asset = release!.assets.find(({ name }) => name === "linux.efi")!;
  fake.tellsDigests = false; // Then the document alone says it.
  expect(await versions()).toEqual(["1.0.0"]);
  fake.tellsDigests = true;
  asset.bytes = Buffer.from(asset.bytes).fill("y", 0, 1);
  await expect(versions()).rejects.toMatchObject({ code: "DIGEST_MISMATCH", exit: 7 });
  release!.assets = release!.assets.filter((one) => one !== asset);
  expect(await versions()).toEqual([]);
});

test("every fault at every request of a reader: what it gets is right, or the error has a code", async () => {
  await publish("1.0.0");
  await publish("1.0.1");
  const read = async (github: Github) => {
    const { files } = await readReleases(github, "o/r");
    const release = await findRelease(github, { repository: "o/r", tag: "v1.0.1" });
    if (release === undefined) throw new BootwrightError("NAME_UNKNOWN", "no release");
    const asset = release.assets.find(({ name }) => name === "linux.efi")!;
    return { files, digest: sha256((await readWholeAsset(github, { repository: "o/r", asset })).toString()) };
  };
  const right = await read(open());
  const statuses = [401, 404, 429, 503].map((status) => ({ status }));
  let resumed = 0;
  for (const fault of ["drop", "truncate", "page", "cut", "stall", "damage", ...statuses] as const)
    for (let at = 1; ; at++) {
      fake.requests.splice(0);
      fake.fault = (count) => (count === at ? fault : undefined);
      const result = await read(open(fault === "stall" ? { stallMs: 200 } : {})).catch((error) => error.code);
      const total = fake.requests.length;
      if (at > total) break;
      if (fault === "truncate" && fake.requests.filter((line) => line.startsWith("GET /objects/")).length > 3)
        resumed++;
      if (typeof result === "string")
        expect([
          "NETWORK",
          "HTTP_STATUS",
          "LOGIN_NEEDED",
          "NAME_UNKNOWN",
          "FORMAT_INVALID",
          "DIGEST_MISMATCH",
        ]).toContain(result);
      else if (typeof fault === "object" && fault.status === 404)
        expect(result.digest).toBe(right.digest); // No latest.
      else expect(result).toEqual(right);
    }
  expect(resumed).toBeGreaterThan(0);
});
