import { createHash, generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { directoryPlace } from "../base/directory-place.ts";
import type { SweptPlace } from "../base/place.ts";
import { minisignKeyOf, verifyMinisign } from "../formats/minisign.ts";
import { placeTarget } from "./place-target.ts";
import { type PublishFilesOptions, publishFiles } from "./publish-files.ts";
import { newestState, readPublications } from "./read.ts";
import type { NewFile } from "./target.ts";

const signal = new AbortController().signal;
const OPTIONS: Omit<PublishFilesOptions, "files"> = {
  keep: { kernel: 10 },
  protectedDigests: new Set(),
  views: ["SHA256SUMS", "index.html", "kernels.txt", "kernels.json"],
  secret: undefined,
  now: "2026-01-02T03:04:05Z",
  signal,
  dryRun: false,
};

function kernelFile(version: string, content = `kernel ${version}`): NewFile {
  const local = path.join(tempDir(), "file");
  fs.writeFileSync(local, content);
  return {
    ...{
      publication: "kernel",
      image: "efi",
      kind: "efi",
      name: `vmlinuz-${version}.efi`,
      immutable: [],
      moving: ["latest"],
    },
    ...{ version, arch: "x86_64", kernel: `${version}-own`, size: content.length, local },
    sha256: createHash("sha256").update(content).digest("hex"),
  };
}

const publish = (place: SweptPlace, file: NewFile, options: Partial<PublishFilesOptions> = {}) =>
  publishFiles(placeTarget(place), { ...OPTIONS, ...options, files: [file] });

const text = (dir: string, name: string) => fs.readFileSync(path.join(dir, name), "utf8");

/** What must hold at any moment, whoever died: each name that resolves means all of the bytes of one version. */
function checkNames(dir: string): void {
  for (const name of fs.readdirSync(dir).filter((one) => one.endsWith(".efi"))) {
    const version = /^vmlinuz-(.*)\.efi$/.exec(name)?.[1];
    if (version === undefined) expect(text(dir, name)).toMatch(/^kernel \S+$/);
    else expect(text(dir, name)).toBe(`kernel ${version}`);
  }
}

describe("publishing into a directory", () => {
  test("names, lists and the moving name follow", async () => {
    const dir = tempDir();
    const place = directoryPlace(dir);
    const first = await publish(place, kernelFile("1.0.0"));
    expect(first).toMatchObject({ files: [{ name: "vmlinuz-1.0.0.efi", known: false }], retired: [] });
    await publish(place, kernelFile("1.1.0"));
    expect(text(dir, "kernel-latest.efi")).toBe("kernel 1.1.0");
    expect(text(dir, "vmlinuz-1.0.0.efi")).toBe("kernel 1.0.0");
    expect(text(dir, "kernels.txt")).toBe("vmlinuz-1.1.0.efi\nvmlinuz-1.0.0.efi\n");
    expect(JSON.parse(text(dir, "kernels.json"))).toMatchObject({
      ...{ count: 2, updated: OPTIONS.now },
      kernels: [{ name: "vmlinuz-1.1.0.efi", kernel: "1.1.0-own" }, { version: "1.0.0" }],
    });
    const sums = text(dir, "SHA256SUMS").trimEnd().split("\n");
    for (const line of sums) {
      const [sha256, name] = line.split("  ");
      expect(
        createHash("sha256")
          .update(fs.readFileSync(path.join(dir, name!)))
          .digest("hex"),
      ).toBe(sha256);
    }
    expect(sums).toHaveLength(2);
    expect(text(dir, "published/current")).toBe("2\n");
    expect(fs.readdirSync(dir).filter((name) => name.startsWith(".tmp"))).toEqual([]);
    const { files } = await readPublications(place, signal);
    expect(files).toMatchObject([{ moving: ["kernel-latest.efi"] }, { name: "vmlinuz-1.0.0.efi", moving: [] }]);
    expect(fs.readFileSync(files[1]!.address, "utf8")).toBe("kernel 1.0.0");
  });

  test("the same bytes again change nothing; other bytes are refused, and the next free version is named", async () => {
    const place = directoryPlace(tempDir());
    await publish(place, kernelFile("1.0.0"));
    await publish(place, kernelFile("1.0.1"));
    expect(await publish(place, kernelFile("1.0.0"))).toMatchObject({ files: [{ known: true }] });
    expect((await newestState(place, signal))?.state.serial).toBe(2);
    await expect(publish(place, kernelFile("1.0.0", "other"))).rejects.toMatchObject({
      ...{ code: "EXISTS", message: expect.stringContaining("vmlinuz-1.0.0.efi") },
      hint: expect.stringContaining("1.0.2"),
    });
  });

  test("a file that Bootwright did not put there stays", async () => {
    const dir = tempDir();
    fs.writeFileSync(path.join(dir, "index.html"), "my site");
    await expect(publish(directoryPlace(dir), kernelFile("1.0.0"))).rejects.toMatchObject({
      ...{ code: "EXISTS", message: expect.stringContaining("index.html") },
    });
    expect(fs.readdirSync(dir)).toEqual(["index.html"]);
  });

  test("--dry-run writes nothing", async () => {
    const dir = tempDir();
    expect(await publish(directoryPlace(dir), kernelFile("1.0.0"), { dryRun: true })).toMatchObject({
      files: [{ known: false }],
    });
    expect(fs.readdirSync(dir)).toEqual([]);
  });

  test("the lists are signed, and nobody without the key replaces them", async () => {
    const { privateKey: secret } = generateKeyPairSync("ed25519");
    const dir = tempDir();
    const place = directoryPlace(dir);
    await publish(place, kernelFile("1.0.0"), { secret });
    verifyMinisign(fs.readFileSync(path.join(dir, "SHA256SUMS")), {
      ...{ text: text(dir, "SHA256SUMS.minisig"), keys: [minisignKeyOf(secret)], what: "SHA256SUMS" },
    });
    await expect(publish(place, kernelFile("1.0.1"))).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });
});

describe("retention", () => {
  test("keeps the last, and what is protected; a name that was taken back is never given again", async () => {
    const dir = tempDir();
    const place = directoryPlace(dir);
    const versions = ["1.0.0", "1.0.1", "1.0.2", "1.0.3"];
    const protectedDigests = new Set([kernelFile("1.0.0").sha256]);
    const results = [];
    for (const version of versions)
      results.push(await publish(place, kernelFile(version), { keep: { kernel: 2 }, protectedDigests }));
    expect(results.flatMap(({ retired }) => retired)).toEqual(["vmlinuz-1.0.1.efi"]);
    expect(fs.readdirSync(dir).filter((name) => name.startsWith("vmlinuz"))).toEqual([
      ...["vmlinuz-1.0.0.efi", "vmlinuz-1.0.2.efi", "vmlinuz-1.0.3.efi"],
    ]);
    expect(fs.readdirSync(path.join(dir, "files"))).toHaveLength(3);
    expect(text(dir, "kernels.txt")).not.toContain("1.0.1");
    await expect(publish(place, kernelFile("1.0.1"))).rejects.toMatchObject({
      ...{ code: "EXISTS", hint: expect.stringContaining("1.0.4") },
    });
  });
});

/** Lets others run before each operation, as a network does. */
const yielding = (place: SweptPlace): SweptPlace =>
  wrapped(place, async () => {
    await new Promise((resolve) => setTimeout(resolve, Math.floor(Math.random() * 4)));
  });

const WRITES = ["putFile", "create", "replace", "link", "remove"] as const;

function wrapped(place: SweptPlace, before: () => Promise<void>, after = async () => {}): SweptPlace {
  const wrap =
    (name: (typeof WRITES)[number]) =>
    async (...args: never[]) => {
      await before();
      const done = await (place[name] as (...given: never[]) => Promise<unknown>)(...args);
      await after();
      return done;
    };
  return { ...place, ...Object.fromEntries(WRITES.map((name) => [name, wrap(name)])) };
}

describe("two publishers at once", () => {
  test("lose nothing, also while files are taken back", async () => {
    for (let round = 0; round < 10; round++) {
      const dir = tempDir();
      const versions = ["1", "2", "3", "4"];
      const keep = { kernel: round % 2 === 0 ? 10 : 2 };
      await Promise.all(
        versions.map((version) => publish(yielding(directoryPlace(dir)), kernelFile(version), { keep })),
      );
      const { state } = (await newestState(directoryPlace(dir), signal))!;
      const named = [...state.files, ...state.retired].map(({ name }) => name).sort();
      expect(named).toEqual(versions.map((version) => `vmlinuz-${version}.efi`));
      expect(text(dir, "kernels.txt")).toBe(state.files.map(({ name }) => `${name}\n`).join(""));
      expect(
        fs
          .readdirSync(dir)
          .filter((name) => name.startsWith("vmlinuz"))
          .sort(),
      ).toEqual(state.files.map(({ name }) => name).sort());
      expect(text(dir, "kernel-latest.efi")).toBe(`kernel ${state.files[0]!.version}`);
      checkNames(dir);
    }
  });

  test("of two with other bytes under one name, one is refused", async () => {
    const dir = tempDir();
    const tries = [kernelFile("1", "kernel 1"), kernelFile("1", "kernel one")].map((file) =>
      publish(yielding(directoryPlace(dir)), file).then(
        () => "published",
        (error) => error.code,
      ),
    );
    expect((await Promise.all(tries)).sort()).toEqual(["EXISTS", "published"]);
    const { files } = await readPublications(directoryPlace(dir), signal);
    expect(createHash("sha256").update(text(dir, "vmlinuz-1.efi")).digest("hex")).toBe(files[0]!.sha256);
  });
});

describe("a publisher killed at any write", () => {
  const points = Array.from(
    { length: 12 },
    (_, i) => [Math.floor(i / 2) + 1, i % 2 === 0 ? "before" : "after"] as const,
  );

  test.each(points)("write %i, %s it: names stay whole, and the next publisher goes on", async (at, when) => {
    const dir = tempDir();
    await publish(directoryPlace(dir), kernelFile("1"));
    let count = 0;
    const die = (moment: "before" | "after") => async () => {
      if (moment === "before") count++;
      if (count > at || (count === at && moment === when)) throw new Error("killed");
    };
    const place = wrapped(directoryPlace(dir), die("before"), die("after"));
    await expect(publish(place, kernelFile("2"))).rejects.toThrow("killed");
    checkNames(dir);
    const { files: published } = await readPublications(directoryPlace(dir), signal);
    expect([["1"], ["2", "1"]]).toContainEqual(published.map(({ version }) => version));
    for (const { address, version } of published) expect(fs.readFileSync(address, "utf8")).toBe(`kernel ${version}`);
    await publish(directoryPlace(dir), kernelFile("2"));
    expect(text(dir, "kernels.txt")).toBe("vmlinuz-2.efi\nvmlinuz-1.efi\n");
    expect(text(dir, "kernel-latest.efi")).toBe("kernel 2");
    expect(text(dir, "published/current")).toBe("2\n");
  });
});
