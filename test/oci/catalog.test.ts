/** Catalogs in a registry: published, raced for, broken off at any request, read, pulled and built from. */
import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { type TinyBundle, tinyBundle } from "../../src/catalog/bundle.fake.ts";
import { openCatalog } from "../../src/catalog/open-catalog.ts";
import { publishBundles } from "../../src/catalog/publish-bundle.ts";
import { SeenSerials } from "../../src/catalog/seen.ts";
import { minisignKeyOf } from "../../src/formats/minisign.ts";
import { Registry } from "../../src/oci/registry.ts";
import { repositoryPlace } from "../../src/oci/repository-place.ts";
import { hashFile } from "../../src/store/blobs.ts";
import { breakingRegistry } from "../support/breaking-registry.ts";
import { type CliResult, documentOf, runCli } from "../support/cli.ts";
import { tempDir, tempStore } from "../support/temp-store.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

const breaking = breakingRegistry();

const { privateKey: secret } = generateKeyPairSync("ed25519");
const keys = [minisignKeyOf(secret)];
const never = new AbortController().signal;

interface Ways {
  readonly signal?: AbortSignal;
  /** How far this publisher's time is ahead. */
  readonly later?: number;
}

function publisher(repository: string, { signal = never, later = 0 }: Ways = {}) {
  const registry = new Registry(breaking.proxy.host, { credentials: async () => undefined, plainHttp: true, signal });
  const clock = { ...systemClock, now: () => systemClock.now() + later };
  const target = repositoryPlace(registry, { repository, hashOf: hashFile, clock });
  const seen = new SeenSerials(tempDir());
  const common = { secret, keys, seen, now: "2026-01-02T03:04:05Z", signal, dryRun: false };
  return {
    publish: (bundle: TinyBundle) => publishBundles(target, { bundles: [bundle], name: "kernels", ...common }),
    versions: async () => {
      const { index } = await openCatalog(target, { keys, seen, signal });
      return index.bundles.map(({ version }) => version).sort();
    },
  };
}

describe("publishing", () => {
  test("at once loses nobody's bundle", async () => {
    const store = tempStore();
    const bundles = await Promise.all(
      Array.from({ length: 6 }, (_, i) => tinyBundle(store, { version: String(i) }, { initrd: `initrd ${i}` })),
    );
    for (const [round, pair] of [[0, bundles], ...[1, 2, 3].map((i) => [i, bundles.slice(0, 2)] as const)] as const) {
      const repository = `raced/kernels${round}`;
      await Promise.all(pair.map((bundle) => publisher(repository).publish(bundle)));
      expect(await publisher(repository).versions()).toEqual(pair.map((_, i) => String(i)));
    }
  });

  test("broken off at any request leaves the old or the new, and the next publisher goes on", async () => {
    const store = tempStore();
    const [one, two, three] = await Promise.all(
      ["1", "2", "3"].map((version) => tinyBundle(store, { version }, { initrd: version })),
    );
    for (let at = 1, ended = false; !ended; at += 3) {
      const repository = `broken/kernels${at}`;
      await publisher(repository).publish(one!);
      const stop = new AbortController();
      let count = 0;
      breaking.proxy.fault = () => {
        if (++count === at) stop.abort(new Error("killed"));
        return undefined;
      };
      const result = await publisher(repository, { signal: stop.signal })
        .publish(two!)
        .then(
          () => "published",
          (error: Error) => error.message,
        );
      breaking.proxy.fault = () => undefined;
      ended = result === "published";
      if (!ended) expect(result).toMatch(/killed/);
      expect([["1"], ["1", "2"]]).toContainEqual(await publisher(repository).versions());
      // Who comes minutes later holds the claim of the dead for what it is.
      await publisher(repository, { later: 5 * 60_000 }).publish(three!);
      expect([
        ["1", "3"],
        ["1", "2", "3"],
      ]).toContainEqual(await publisher(repository).versions());
    }
  });
});

describe("a project", () => {
  const home = temporaryDir();
  const cli = (cwd: string, ...words: string[]): Promise<CliResult> =>
    runCli(words, {
      cwd,
      env: { HOME: home, no_proxy: "127.0.0.1", BOOTWRIGHT_DATA: path.join(home, path.basename(cwd)) },
    });
  const ok = async (cwd: string, ...words: string[]) => {
    const result = await cli(cwd, ...words, "--json");
    if (result.exit !== 0) throw new Error(result.stderr);
    return documentOf(result);
  };
  const where = () => `
sources: { registries: { "${breaking.server.host}": { plainHttp: true } } }
catalogs: { kernels: { url: "oci://${breaking.server.host}/team/kernels", keys: [./catalog.pub] } }`;

  test("publishes a kernel, and another pulls it and builds from it", async () => {
    const vendor = writeProject(`name: vendor${where().replace("./catalog.pub", "./keys/catalog.pub")}
kernels: { cloud: { from: debian, package: linux-image-cloud-amd64 } }
keys: { catalog: { file: ./keys/catalog } }
publish: { cloud: { bundle: cloud, name: generic, version: "1", to: "catalog:kernels" } }
`);
    await ok(vendor, "keys", "init");
    expect(await cli(vendor, "kernel", "publish", "--dry-run")).toMatchObject({ exit: 10 });
    expect(await ok(vendor, "kernel", "publish")).toMatchObject({ published: [{ known: false }] });
    expect(await ok(vendor, "kernel", "publish")).toMatchObject({ published: [{ known: true }] });
    const user = writeProject(
      `name: user${where()}
kernel: { from: catalog, bundle: generic }
initramfs: { init: busybox }
image: { kind: kernel, cmdline: "quiet" }
`,
      { "catalog.pub": fs.readFileSync(path.join(vendor, "keys/catalog.pub"), "utf8") },
    );
    const store = temporaryDir();
    expect((await ok(user, "kernel", "ls", "--available", "--store", store)).kernels).toMatchObject([{ version: "1" }]);
    const built = await ok(user, "build", "--store", store);
    expect(built.images).toMatchObject([{ kind: "kernel" }]);
    expect(await ok(user, "kernel", "pull", "generic", "--store", store)).toMatchObject({
      kernels: [{ name: "generic" }],
    });
    expect((await cli(user, "kernel", "ls", "--available", "--offline")).stderr).toContain("OFFLINE");
  });
});
