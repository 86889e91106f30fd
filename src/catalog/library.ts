/**
 * The user's own bundles: pulled from catalogs or imported, kept until they are removed. What a catalog does later never
 * touches them. They lie with the user's data, not in the store, since nothing could make an imported one again:
 * `kernels/NAME/ARCH/VERSION/` holds the bundle, its manifest, and where it came from.
 */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError, ioError } from "../base/errors.ts";
import { ensureDir, readIfExists, removeTree, temporaryName, writeFileAtomic } from "../base/fs.ts";
import type { Arch } from "../base/json-shape.ts";
import { type BundleIdentity, type BundleManifest, decodeManifest, describeBundle } from "./manifest.ts";
import { compareVersions } from "./version-order.ts";

export interface LibraryBundle {
  readonly manifest: BundleManifest;
  /** The bundle's file. */
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
  readonly origin: BundleOrigin;
}

export interface BundleOrigin {
  /** Address of the catalog, or of the directory that it was imported from. */
  readonly from: string;
  readonly kind: "catalog" | "import";
  /** ISO 8601, UTC. */
  readonly at: string;
}

const BUNDLE = "bundle.tar.zst";
const RECORD = "record.json";

export class Library {
  readonly #dir: string;

  constructor(dataDir: string) {
    this.#dir = path.join(dataDir, "kernels");
  }

  /** By name, then newest first. */
  list(): readonly LibraryBundle[] {
    const found: LibraryBundle[] = [];
    for (const name of names(this.#dir))
      for (const arch of names(path.join(this.#dir, name)))
        for (const version of names(path.join(this.#dir, name, arch))) {
          const bundle = this.#read(path.join(this.#dir, name, arch, version));
          if (bundle !== undefined) found.push(bundle);
        }
    return found.sort(
      (a, b) =>
        compareText(a.manifest.name, b.manifest.name) ||
        compareVersions(b.manifest.version, a.manifest.version) ||
        compareText(a.manifest.arch, b.manifest.arch),
    );
  }

  /** The newest that fits, or undefined. */
  find(wish: { name: string; version?: string | undefined; arch?: Arch | undefined }): LibraryBundle | undefined {
    return this.list().find(
      ({ manifest }) =>
        manifest.name === wish.name &&
        (wish.version === undefined || manifest.version === wish.version) &&
        (wish.arch === undefined || manifest.arch === wish.arch),
    );
  }

  /** Throws EXISTS when the version is there with other bytes; the same bytes again change nothing. */
  add(
    bundle: Omit<LibraryBundle, "file">,
    { from, manifestBytes }: { from: string; manifestBytes: Uint8Array },
  ): LibraryBundle {
    const target = this.#place(bundle.manifest);
    const there = this.#read(target);
    if (there !== undefined) {
      if (there.sha256 === bundle.sha256) return there;
      throw new BootwrightError("EXISTS", `${describeBundle(bundle.manifest)} is here already, with other bytes`, {
        hint: `bootwright kernel rm ${bundle.manifest.name}@${bundle.manifest.version}`,
      });
    }
    const temporary = temporaryName(target);
    try {
      ensureDir(temporary);
      fs.copyFileSync(from, path.join(temporary, BUNDLE), fs.constants.COPYFILE_FICLONE);
      fs.chmodSync(path.join(temporary, BUNDLE), 0o444);
      writeFileAtomic(path.join(temporary, "manifest.json"), manifestBytes, { sync: true });
      const { size, sha256, origin } = bundle;
      writeFileAtomic(path.join(temporary, RECORD), `${JSON.stringify({ size, sha256, origin }, null, 2)}\n`, {
        sync: true,
      });
      fs.renameSync(temporary, target);
    } catch (error) {
      removeTree(temporary);
      throw ioError("write", target, error);
    }
    return { ...bundle, file: path.join(target, BUNDLE) };
  }

  remove({ manifest }: LibraryBundle): void {
    const target = this.#place(manifest);
    // Out of the way at once, so that nobody sees half of it.
    const temporary = temporaryName(target);
    try {
      fs.renameSync(target, temporary);
      removeTree(temporary);
    } catch (error) {
      throw ioError("remove", target, error);
    }
  }

  #place({ name, arch, version }: BundleIdentity): string {
    return path.join(this.#dir, name, arch, version);
  }

  /** Undefined for what is not whole: a killed `pull` leaves a temporary name only, but users have hands. */
  #read(dir: string): LibraryBundle | undefined {
    const manifest = readIfExists(path.join(dir, "manifest.json"));
    const record = readIfExists(path.join(dir, RECORD));
    const file = path.join(dir, BUNDLE);
    if (manifest === undefined || record === undefined || !fs.existsSync(file)) return undefined;
    try {
      const { size, sha256, origin } = JSON.parse(record.toString("utf8")) as Omit<LibraryBundle, "file" | "manifest">;
      return { manifest: decodeManifest(manifest, dir), file, size, sha256, origin };
    } catch {
      return undefined;
    }
  }
}

function names(dir: string): string[] {
  return fs.existsSync(dir) ? fs.readdirSync(dir).filter((name) => !name.startsWith(".")) : [];
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
