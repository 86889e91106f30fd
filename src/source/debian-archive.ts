/** What packages an archive has: Packages files of all its suites and components, looked into by name. */

import { download } from "../base/download.ts";
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { didYouMean } from "../base/suggest.ts";
import { type IndexFile, PackagesIndex, type Stanza } from "../formats/deb822.ts";
import { type Alternatives, parseDepends, satisfiesVersion } from "../formats/debian-depends.ts";
import { compareDebianVersions } from "../formats/debian-version.ts";
import { decompress } from "../formats/decompress.ts";
import type { Store } from "../store/store.ts";
import type { AptSource } from "./apt-config.ts";
import { fetchRelease, type Release } from "./debian-release.ts";
import type { LockedPackage } from "./lock.ts";

export interface ArchiveOptions {
  readonly store: Store;
  readonly sources: readonly AptSource[];
  /** Debian's name: "amd64", "arm64". */
  readonly arch: string;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** Debian's largest Packages file is 60 MB. */
const MAX_PACKAGES = 512 * 1024 * 1024;

export class DebianArchive {
  readonly #indexes: readonly PackagesIndex[];
  readonly arch: string;

  constructor(indexes: readonly PackagesIndex[], arch: string) {
    this.#indexes = indexes;
    this.arch = arch;
  }

  /** The newest version of a package, over all suites; undefined when there is none that fits. */
  find(name: string, accepts: (stanza: Stanza) => boolean = () => true): Stanza | undefined {
    return newest(
      this.#indexes.flatMap((index) => index.find(name)).filter((stanza) => this.#isOurs(stanza) && accepts(stanza)),
    );
  }

  /** Throws PACKAGE_UNKNOWN. */
  get(name: string): Stanza {
    const stanza = this.find(name);
    if (stanza !== undefined) return stanza;
    const names = this.#indexes.flatMap((index) => [...index.names()]);
    throw new BootwrightError(
      "PACKAGE_UNKNOWN",
      `the archive has no package ${name} for ${this.arch}${didYouMean(name, names)}`,
    );
  }

  provider(name: string): Stanza | undefined {
    return newest(this.providers(name));
  }

  /** All that provide a virtual package. */
  providers(name: string): Stanza[] {
    return this.#indexes.flatMap((index) => index.findProviders(name)).filter((stanza) => this.#isOurs(stanza));
  }

  /** The newest version of each package with that value in that field ("Essential", "yes"), by name. */
  having(field: string, value: string): Stanza[] {
    const names = this.#indexes.flatMap((index) => index.having(field, value)).map((stanza) => stanza.get("package")!);
    return [...new Set(names)]
      .sort()
      .flatMap((name) => this.find(name) ?? [])
      .filter((stanza) => stanza.get(field.toLowerCase()) === value);
  }

  /** The packages and all that they depend on (Pre-Depends, Depends), by name. First alternatives first, as apt does. */
  closure(names: readonly string[]): Stanza[] {
    const chosen = new Map<string, Stanza>();
    const open = names.map((name) => this.get(name));
    for (let stanza = open.shift(); stanza !== undefined; stanza = open.shift()) {
      const name = stanza.get("package")!;
      if (chosen.has(name)) continue;
      chosen.set(name, stanza);
      for (const group of dependsOf(stanza)) {
        if (group.some((relation) => chosen.has(relation.name))) continue;
        open.push(this.#satisfy(group, name));
      }
    }
    return [...chosen.values()].sort((a, b) => (a.get("package")! < b.get("package")! ? -1 : 1));
  }

  #satisfy(group: Alternatives, wantedBy: string): Stanza {
    for (const relation of group) {
      const stanza =
        this.find(relation.name, (candidate) => satisfiesVersion(candidate.get("version")!, relation)) ??
        this.provider(relation.name);
      if (stanza !== undefined) return stanza;
    }
    throw new BootwrightError(
      "PACKAGE_UNKNOWN",
      `${wantedBy} depends on ${group.map((relation) => relation.name).join(" or ")}, which the archive does not have`,
    );
  }

  #isOurs(stanza: Stanza): boolean {
    const arch = stanza.get("architecture");
    return arch === this.arch || arch === "all";
  }
}

export const dependsOf = (stanza: Stanza): Alternatives[] =>
  ["pre-depends", "depends"].flatMap((field) => parseDepends(stanza.get(field) ?? ""));

/** Throws SIGNATURE_INVALID, DIGEST_MISMATCH, NETWORK. */
export async function openArchive(options: ArchiveOptions): Promise<DebianArchive> {
  const scratch = options.store.blobs.temporary();
  const perSource = await Promise.all(
    options.sources.map(async (source, i) => {
      const release = await fetchRelease(source, { ...options, scratch: `${scratch}-${i}` });
      return Promise.all(source.components.map((component) => fetchPackages(source, { release, component, options })));
    }),
  );
  return new DebianArchive(
    perSource.flat().filter((index) => index !== undefined),
    options.arch,
  );
}

/** A pin for the lock. Throws FORMAT_INVALID when the index lacks what a pin needs. */
export function pinOf(stanza: Stanza): LockedPackage {
  const field = (name: string): string => {
    const value = stanza.get(name);
    if (value === undefined)
      throw new BootwrightError("FORMAT_INVALID", `Packages: ${stanza.get("package")} has no ${name}`);
    return value;
  };
  const path = field("filename").replace(/^\.\//, "");
  if (path.startsWith("/") || path.split("/").includes(".."))
    throw new BootwrightError("PATH_UNSAFE", `Packages: ${stanza.get("package")} lies outside the archive: ${path}`);
  return {
    name: field("package"),
    version: field("version"),
    arch: field("architecture"),
    path,
    size: Number(field("size")),
    sha256: field("sha256"),
  };
}

async function fetchPackages(
  source: AptSource,
  { release, component, options }: { release: Release; component: string; options: ArchiveOptions },
): Promise<PackagesIndex | undefined> {
  const base = `${component}/binary-${options.arch}/Packages`;
  const file =
    ["xz", "gz"].map((suffix) => release.files.get(`${base}.${suffix}`)).find((found) => found !== undefined) ??
    release.files.get(base);
  if (file === undefined) return undefined; // A suite without this component or architecture.
  const { store } = options;
  const digest = { hash: file.hash, size: file.size };
  if (!store.blobs.has(digest))
    await store.blobs.putStream(packagesStream(source, { release, file, options }), {
      expected: digest,
      what: `${source.suite} ${file.path}`,
    });
  const chunks: Uint8Array[] = [];
  for await (const chunk of decompress(store.blobs.read(digest), { what: file.path, maxSize: MAX_PACKAGES }))
    chunks.push(chunk);
  return new PackagesIndex(Buffer.concat(chunks), file.path);
}

/** By digest where the archive offers it: the plain name may already be newer than the Release that we hold. */
async function* packagesStream(
  source: AptSource,
  { release, file, options }: { release: Release; file: IndexFile; options: ArchiveOptions },
): AsyncGenerator<Uint8Array> {
  const root = `${source.uri}/dists/${source.suite}`;
  const settings = { emit: options.emit, signal: options.signal, maxSize: file.size };
  if (release.fields.get("acquire-by-hash") === "yes") {
    try {
      yield* download(
        `${root}/${file.path.slice(0, file.path.lastIndexOf("/"))}/by-hash/SHA256/${file.hash}`,
        settings,
      );
      return;
    } catch (error) {
      if (!hasCode(error, "HTTP_STATUS")) throw error;
    }
  }
  yield* download(`${root}/${file.path}`, settings);
}

const newest = (found: readonly Stanza[]): Stanza | undefined =>
  found.reduce<Stanza | undefined>(
    (best, stanza) =>
      best === undefined || compareDebianVersions(stanza.get("version")!, best.get("version")!) > 0 ? stanza : best,
    undefined,
  );
