import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { type FakeRelease, type GithubFake, startGithubFake } from "./github.fake.ts";
import { Github } from "./github-api.ts";
import { publishRelease, type ReleaseOptions } from "./github-release.ts";
import type { NewFile } from "./target.ts";

const TOKEN = "token-that-nobody-may-see";

/** Pauses that the server asks for take no time here. */
const NO_WAITING: Clock = { ...systemClock, sleep: async () => {} };

let fake: GithubFake;
beforeEach(async () => {
  fake = await startGithubFake({ token: TOKEN });
});
afterEach(() => fake.stop());

function imageFile(name: string, content: string): NewFile {
  const local = path.join(tempDir(), "file");
  fs.writeFileSync(local, content);
  return {
    ...{ publication: "iso", image: "iso", kind: "iso", name, immutable: [], moving: ["latest"], version: "1.0.0" },
    ...{ arch: "x86_64", kernel: "", size: content.length, local },
    sha256: createHash("sha256").update(content).digest("hex"),
  };
}

let FILES: NewFile[];
beforeEach(() => {
  FILES = [imageFile("one.iso", "first file"), imageFile("two.efi", "second file")];
});

function publish(
  options: Partial<ReleaseOptions> = {},
  { token = TOKEN as string | undefined, signal = new AbortController().signal, stallMs = 30_000 } = {},
) {
  const github = new Github({ api: fake.api, token, signal, backoffMs: 1, clock: NO_WAITING, stallMs });
  return publishRelease(github, {
    ...{ repository: "o/r", tag: "v1.0.0", files: FILES, latest: true, secret: undefined, signal, dryRun: false },
    ...{ now: "2026-01-02T03:04:05Z", beside: [{ name: "one.iso.sig", make: async () => Buffer.from("signature\n") }] },
    ...options,
  });
}

/** Nobody ever sees a release that lacks something. */
function checkWhole(releases: readonly FakeRelease[]): void {
  for (const release of releases.filter(({ draft }) => !draft)) {
    const names = release.assets.map(({ name }) => name).sort();
    expect(names).toEqual(["SHA256SUMS", "one.iso", "one.iso.sig", "published.json", "two.efi"]);
    const sums = release.assets.find(({ name }) => name === "SHA256SUMS")!.bytes.toString();
    for (const { name, bytes, state } of release.assets) {
      expect(state).toBe("uploaded");
      if (/\.(iso|efi)$/.test(name))
        expect(sums).toContain(`${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`);
    }
  }
  expect(releases.filter(({ draft }) => !draft).length).toBeLessThanOrEqual(1);
}

test("a release is its files and their sums; again is nothing new; other bytes are refused", async () => {
  expect(await publish({ dryRun: true }, { token: undefined as unknown as string })).toMatchObject({ known: false });
  expect(fake.releases).toEqual([]);
  expect(await publish()).toEqual({ address: "https://github.example/releases/v1.0.0", known: false });
  expect(fake.releases).toMatchObject([{ draft: false, latest: true }]);
  checkWhole(fake.releases);
  expect(await publish()).toMatchObject({ known: true });
  await expect(publish({ files: [imageFile("one.iso", "other")] })).rejects.toMatchObject({
    ...{ code: "EXISTS", hint: expect.stringContaining("v1.0.1") },
  });
  await expect(publish({ files: [...FILES, imageFile("three", "3")] })).rejects.toMatchObject({
    ...{ code: "EXISTS", message: expect.stringContaining("without three") },
  });
  const more = [{ name: "two.efi.sig", make: async () => Buffer.of() }];
  await expect(publish({ beside: more })).rejects.toMatchObject({
    ...{ code: "EXISTS", message: expect.stringContaining("without two.efi.sig") },
  });
  for (const name of ["published.json", "SHA256SUMS", "two.efi"])
    await expect(publish({ files: [...FILES, imageFile(name, "3")] })).rejects.toMatchObject({
      ...{ code: "EXISTS", message: expect.stringContaining(`a file ${name} of its own`) },
    });
});

test("without a token, or with a wrong one, what is missing is said, and the token is not", async () => {
  const wrong = await publish({}, { token: "wrong-token" }).catch((error) => error);
  expect(wrong).toMatchObject({ code: "LOGIN_NEEDED", hint: expect.stringContaining("GITHUB_TOKEN") });
  expect(JSON.stringify([wrong.message, wrong.hint, wrong.detail])).not.toContain("wrong-token");
});

test("bytes that were damaged on the way are found, and no release is made of them", async () => {
  fake.fault = (_, request) => (request.includes("/uploads/") ? "damage" : undefined);
  await expect(publish()).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  expect(fake.releases).toEqual([]);
});

test("every fault at every request: the release is whole, or there is none and the error has a code", async () => {
  const told = [500, 502].map((status) => ({ status }));
  const slower = [429, 403].map((status) => ({ status, retryAfter: 1 }));
  const expired = { status: 401 };
  const faults = ["drop", "truncate", "page", "cut", "stall", expired, ...told, ...slower] as const;
  for (const fault of faults)
    for (let at = 1; ; at++) {
      fake.releases.splice(0);
      fake.requests.splice(0);
      fake.fault = (count) => (count === at ? fault : undefined);
      const result = await publish({}, fault === "stall" ? { stallMs: 200 } : {}).then(
        () => "published",
        (error) => error.code,
      );
      checkWhole(fake.releases);
      fake.fault = () => undefined;
      if (result === "published") expect(fake.releases.some(({ draft }) => !draft)).toBe(true);
      else if (fault === expired) expect(result).toBe("LOGIN_NEEDED");
      else expect(["NETWORK", "HTTP_STATUS", ...(fault === "page" ? ["FORMAT_INVALID"] : [])]).toContain(result);
      const total = fake.requests.length;
      await publish();
      checkWhole(fake.releases);
      expect(fake.releases.filter(({ draft }) => !draft)).toHaveLength(1);
      if (at > total) break;
    }
});

test("killed at any request, a draft is all that may be left, and the next publisher clears it away", async () => {
  for (let at = 1, result = ""; result !== "published"; at++) {
    fake.releases.splice(0);
    fake.requests.splice(0);
    const stop = new AbortController();
    fake.fault = (count) => {
      if (count === at) stop.abort(new Error("killed"));
      return undefined;
    };
    result = await publish({ signal: stop.signal }, { signal: stop.signal }).then(
      () => "published",
      (error) => error.message,
    );
    fake.fault = () => undefined;
    checkWhole(fake.releases);
    await publish();
    checkWhole(fake.releases);
    expect(fake.releases.some(({ draft }) => !draft)).toBe(true);
  }
});

test("of two at once one makes the release; the other finds it, or is refused when it has other bytes", async () => {
  for (let round = 0; round < 20; round++) {
    fake.releases.splice(0);
    const same = await Promise.all([publish(), publish()]);
    expect(same.some(({ known }) => !known)).toBe(true);
    checkWhole(fake.releases);
    expect(fake.releases.filter(({ draft }) => !draft)).toHaveLength(1);
  }
  for (let round = 0; round < 10; round++) {
    fake.releases.splice(0);
    const others = [imageFile("one.iso", "another file"), FILES[1]!];
    const results = await Promise.all(
      [FILES, others].map((files) =>
        publish({ files }).then(
          () => "published",
          (error) => error.code,
        ),
      ),
    );
    expect(results.sort()).toEqual(["EXISTS", "published"]);
    checkWhole(fake.releases);
  }
});
