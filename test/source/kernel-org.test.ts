/** The list of digests beside kernel.org's tarballs, and whose signature it carries, as gpg makes it and gpgv reads it. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import { silent } from "../../src/base/events.ts";
import { kernelTarball, pinKernel } from "../../src/source/kernel-org.ts";
import { clearSign, type SigningKey, signingKey } from "../support/debian-archive.ts";
import { serveDirectory } from "../support/served-directory.ts";
import { tempDir, tempStore } from "../support/temp-store.ts";

const TARBALL = "tarball";
const LISTED = `${digestOf(TARBALL).hash}  linux-6.12.48.tar.xz\n`;

/** Pins 6.12.48 of a site with this list. */
async function pinned(sums: string | Buffer, { keyring }: SigningKey) {
  const dir = tempDir();
  fs.mkdirSync(path.join(dir, "v6.x"));
  fs.writeFileSync(path.join(dir, "v6.x/linux-6.12.48.tar.xz"), TARBALL);
  fs.writeFileSync(path.join(dir, "v6.x/sha256sums.asc"), sums);
  await using server = await serveDirectory(dir);
  const releases = server.url("").replace(/\/$/, "");
  const site = { releases, snapshots: releases, keyring };
  expect(kernelTarball("6.12.48", site).sums).toBe(`${releases}/v6.x/sha256sums.asc`);
  return await pinKernel("6.12.48", { store: tempStore(), emit: silent, signal: new AbortController().signal, site });
}

test("a list that a key of the keyring has signed counts", async () => {
  const key = signingKey();
  expect(await pinned(clearSign(LISTED, [key]), key)).toMatchObject({ sha256: digestOf(TARBALL).hash });
});

test("a list that another key has signed, or none, or that was changed, is refused", async () => {
  const [key, other] = [signingKey(), signingKey()];
  const signed = clearSign(LISTED, [key]).toString();
  for (const sums of [clearSign(LISTED, [other]), LISTED, signed.replace("6.12.48", "6.12.49")])
    await expect(pinned(sums, key)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
});

test("what stands around the signed text does not count", async () => {
  const key = signingKey();
  const unlisted = clearSign("", [key]).toString();
  await expect(pinned(`${LISTED}${unlisted}${LISTED}`, key)).rejects.toMatchObject({
    code: expect.stringMatching(/^(KERNEL_UNKNOWN|SIGNATURE_INVALID)$/),
  });
});
