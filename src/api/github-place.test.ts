import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { startGithubFake } from "../publish/github.fake.ts";
import { publishRelease } from "../publish/github-release.ts";
import { openGithub, openReleaseFile } from "./github-place.ts";

const TOKEN = "token-that-only-the-api-may-see";
const { signal } = new AbortController();

test("a file of a release is read by its address, from a store that never sees the token", async () => {
  const fake = await startGithubFake({ token: TOKEN });
  const session = { env: { GITHUB_API_URL: fake.api, GITHUB_TOKEN: TOKEN }, signal, offline: false };
  const local = path.join(tempDir(), "file");
  const content = "kernel 1.0.0\n".padEnd(300_000, "x");
  fs.writeFileSync(local, content);
  const about = { publication: "kernel", image: "efi", kind: "efi", name: "linux.efi", immutable: [], moving: [] };
  const sha256 = createHash("sha256").update(content).digest("hex");
  await publishRelease(openGithub(session, "github:o/r"), {
    ...{ repository: "o/r", tag: "v1.0.0", latest: true, secret: undefined, signal, dryRun: false, beside: [] },
    files: [{ ...about, version: "1.0.0", arch: "x86_64", kernel: "", size: content.length, local, sha256 }],
    now: "2026-01-02T03:04:05Z",
  });
  const file = await openReleaseFile(session, "github:o/r@v1.0.0/linux.efi");
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.bytes()) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toMatch(/^kernel 1\.0\.0\nx/);
  expect(fake.requests).toContainEqual(expect.stringMatching(/^GET \/objects\//));
  expect((await file.read("SHA256SUMS", 1000))?.toString()).toContain("linux.efi");
  expect(await file.read("linux.efi.sig", 1000)).toBeUndefined();
  await expect(file.read("linux.efi", 1000)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });

  const refused = (address: string, more = {}) => openReleaseFile({ ...session, ...more }, address);
  await expect(refused("github:o/r@v1.0.0/linux.efl")).rejects.toMatchObject({
    ...{ code: "NAME_UNKNOWN", message: expect.stringContaining('did you mean "linux.efi"?') },
  });
  await expect(refused("github:o/r@v1.0.1/linux.efi")).rejects.toMatchObject({ code: "NAME_UNKNOWN" });
  await expect(refused("github:o/r/linux.efi")).rejects.toMatchObject({ code: "USAGE" });
  await expect(refused("github:o/r@v1.0.0/linux.efi", { offline: true })).rejects.toMatchObject({ code: "OFFLINE" });
  fake.isPrivate = true;
  await expect(refused("github:o/r@v1.0.0/linux.efi", { env: { GITHUB_API_URL: fake.api } })).rejects.toMatchObject({
    ...{ code: "NAME_UNKNOWN", hint: expect.stringContaining("GITHUB_TOKEN") },
  });
  await fake.stop();
});
