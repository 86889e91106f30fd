import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { directoryPlace } from "../base/directory-place.ts";
import { minisignKeyOf } from "../formats/minisign.ts";
import { type TinyBundle, tinyBundle } from "./bundle.fake.ts";
import { exportCatalog, importCatalog } from "./carry-catalog.ts";
import { openCatalog } from "./open-catalog.ts";
import { publishBundles } from "./publish-bundle.ts";
import { SeenSerials } from "./seen.ts";

const { privateKey: secret } = generateKeyPairSync("ed25519");
const keys = [minisignKeyOf(secret)];
const { signal } = new AbortController();

const publish = (dir: string, bundle: TinyBundle) =>
  publishBundles(directoryPlace(dir), {
    ...{ bundles: [bundle], name: "kernels", secret, keys, seen: new SeenSerials(tempDir()) },
    ...{ now: "2026-01-02T03:04:05Z", signal, dryRun: false },
  });

async function exported(dir: string): Promise<string> {
  const file = path.join(tempDir(), "kernels.tar");
  const catalog = await openCatalog(directoryPlace(dir), { keys, seen: new SeenSerials(tempDir()), signal });
  const bundleFile = ({ sha256 }: { sha256: string }) => path.join(dir, `bundles/${sha256}.tar.zst`);
  await exportCatalog(directoryPlace(dir), { catalog, file, bundleFile, signal });
  return file;
}

const take = (
  dir: string,
  file: string,
  options: { dryRun?: boolean; seen?: SeenSerials; trusted?: typeof keys } = {},
) =>
  importCatalog(directoryPlace(dir), {
    ...{ file, scratch: tempDir(), dryRun: options.dryRun ?? false, keys: options.trusted ?? keys, signal },
    seen: options.seen ?? new SeenSerials(tempDir()),
  });

const versions = async (dir: string) =>
  (await openCatalog(directoryPlace(dir), { keys, seen: new SeenSerials(tempDir()), signal })).index.bundles.map(
    ({ version }) => version,
  );

async function twoVersions() {
  const store = tempStore();
  const [from, to] = [tempDir(), tempDir()];
  await publish(from, await tinyBundle(store, { version: "1" }));
  const early = await exported(from);
  await publish(from, await tinyBundle(store, { version: "2" }, { initrd: "two" }));
  return { store, from, to, early, late: await exported(from) };
}

describe("a catalog in a file", () => {
  test("comes out as it went in, also over an older one; again is nothing new", async () => {
    const { from, to, early, late } = await twoVersions();
    expect(await take(to, early, { dryRun: true })).toMatchObject({ known: false, before: 0 });
    expect(fs.readdirSync(to)).toEqual([]);
    expect(await take(to, early)).toMatchObject({ index: { serial: 1 }, before: 0 });
    expect(await take(to, late)).toMatchObject({ index: { serial: 2 }, before: 1 });
    expect(await take(to, late)).toMatchObject({ known: true });
    expect(await versions(to)).toEqual(["1", "2"]);
    for (const name of [
      "current",
      "index/1",
      "index/2",
      ...fs.readdirSync(path.join(from, "bundles")).map((one) => `bundles/${one}`),
    ])
      expect(fs.readFileSync(path.join(to, name))).toEqual(fs.readFileSync(path.join(from, name)));
  });

  test("an older one, one of another key, and one that went another way are refused", async () => {
    const { store, to, early, late } = await twoVersions();
    await take(to, late);
    await expect(take(to, early)).rejects.toMatchObject({ code: "CATALOG_ROLLBACK" });
    const other = minisignKeyOf(generateKeyPairSync("ed25519").privateKey);
    await expect(take(tempDir(), late, { trusted: [other] })).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
    const apart = tempDir();
    await publish(apart, await tinyBundle(store, { version: "9" }, { initrd: "nine" }));
    await expect(take(apart, late)).rejects.toMatchObject({ code: "EXISTS" });
    expect(await versions(apart)).toEqual(["9"]);
  });

  test("any byte changed, or cut off anywhere: an error with a code, and the old catalog stays", async () => {
    const { to, early, late } = await twoVersions();
    await take(to, early);
    const bytes = fs.readFileSync(late);
    const file = path.join(tempDir(), "broken.tar");
    const refused = async (broken: Buffer) => {
      fs.writeFileSync(file, broken);
      const result = await take(to, file).then(
        ({ index }) => index.bundles.length,
        (error) => error.code,
      );
      // A time or mode in a header may be anything; what is taken in is right, or nothing is.
      if (result === 2) {
        expect(await versions(to)).toEqual(["1", "2"]);
        for (const name of ["index/2", "current"]) fs.rmSync(path.join(to, name));
        fs.writeFileSync(path.join(to, "current"), "1\n");
      } else {
        expect(result).toMatch(/^[A-Z_]+$/);
        expect(await versions(to)).toEqual(["1"]);
      }
      return result;
    };
    const results = [];
    for (let at = 0; at < bytes.length - 1024; at += Math.ceil(bytes.length / 60)) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      results.push(await refused(changed));
      results.push(await refused(bytes.subarray(0, at)));
    }
    expect(results).toContain("DIGEST_MISMATCH");
    expect(results).toContain("SIGNATURE_INVALID");
    expect(await take(to, late)).toMatchObject({ known: false });
    expect(await versions(to)).toEqual(["1", "2"]);
  });
});
