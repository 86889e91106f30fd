/** Turns requests into pins: reads package indexes, downloads files, asks repositories. Loaded only when something is to be pinned. */

import { withoutAccount } from "../base/account.ts";
import { download } from "../base/download.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { defaultEnvironment, run } from "../base/process.ts";
import type { Store } from "../store/store.ts";
import { pinAlpinePackages } from "./alpine.ts";
import type { AptSource } from "./apt-config.ts";
import { type DebianArchive, dependsOf, openArchive, pinOf } from "./debian-archive.ts";
import { rootPackages } from "./debian-root-closure.ts";
import { refuseOptions } from "./git.ts";
import { pinKernel } from "./kernel-org.ts";
import type { LockEntry, LockedBundle, LockedImage, LockedRelease } from "./lock.ts";
import type { BundleRequest, ImageRequest, ReleaseRequest, SourceRequest } from "./request.ts";

export interface ResolveOptions {
  readonly store: Store;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Which archives serve packages of a suite (undefined: of the project's own); asked only when a package is. */
  readonly aptSources: (suite: string | undefined) => readonly AptSource[];
  /** Catalogs are a domain of their own; absent where nothing asks for a bundle. */
  readonly findBundle?: (request: BundleRequest) => Promise<LockedBundle>;
  /** So are registries. */
  readonly findImage?: (request: ImageRequest) => Promise<LockedImage>;
  /** And releases. */
  readonly findRelease?: (request: ReleaseRequest) => Promise<LockedRelease>;
}

/** Opens each archive once for many requests. */
export class Resolver {
  readonly #options: ResolveOptions;
  readonly #archives = new Map<string, Promise<DebianArchive>>();

  constructor(options: ResolveOptions) {
    this.#options = options;
  }

  archive({ arch, suite }: { readonly arch: string; readonly suite?: string | undefined }): Promise<DebianArchive> {
    const key = `${arch} ${suite ?? ""}`;
    let archive = this.#archives.get(key);
    if (archive === undefined) {
      archive = openArchive({ ...this.#options, sources: this.#options.aptSources(suite), arch });
      this.#archives.set(key, archive);
    }
    return archive;
  }

  async resolve(request: SourceRequest): Promise<LockEntry> {
    switch (request.type) {
      case "debian-kernel":
        return { type: "debian", packages: kernelPackages(await this.archive(request), request.package) };
      case "debian-packages": {
        const archive = await this.archive(request);
        return { type: "debian", packages: request.packages.map((name) => pinOf(archive.get(name))) };
      }
      case "debian-closure":
        return { type: "debian", packages: (await this.archive(request)).closure(request.packages).map(pinOf) };
      case "debian-root":
        return { type: "debian", packages: rootPackages(await this.archive(request), request).map(pinOf) };
      case "alpine":
        return { type: "alpine", packages: await pinAlpinePackages(request.source, request, this.#options) };
      case "kernel":
        return pinKernel(request.version, { ...this.#options, ...request });
      case "file":
        return this.#pinFile(request);
      case "bundle":
        if (this.#options.findBundle === undefined) throw new Error("this resolver knows no catalogs");
        return this.#options.findBundle(request);
      case "release":
        if (this.#options.findRelease === undefined) throw new Error("this resolver knows no releases");
        return this.#options.findRelease(request);
      case "image":
        if (this.#options.findImage === undefined) throw new Error("this resolver knows no registries");
        return this.#options.findImage(request);
      default:
        return this.#pinCommit(request);
    }
  }

  /** The bytes go into the store at once: nobody downloads a file twice to learn its digest. */
  async #pinFile({ url, sha256 }: { url: string; sha256?: string | undefined }): Promise<LockEntry> {
    const { store, emit, signal } = this.#options;
    const digest = await store.blobs.putStream(download(url, { emit, signal }));
    if (sha256 !== undefined && sha256 !== digest.hash)
      throw new BootwrightError(
        "DIGEST_MISMATCH",
        `${withoutAccount(url)}: got sha256:${digest.hash}, the config says sha256:${sha256}`,
      );
    return { type: "file", size: digest.size, sha256: digest.hash };
  }

  async #pinCommit({ url, ref, from = url }: { url: string; ref: string; from?: string }): Promise<LockEntry> {
    refuseOptions(from, ref);
    if (/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(ref)) return { type: "git", commit: ref };
    const { stdout } = await run(["git", "ls-remote", "--exit-code", from, ref, `refs/tags/${ref}^{}`], {
      signal: this.#options.signal,
      env: { ...defaultEnvironment(), GIT_TERMINAL_PROMPT: "0" },
      accept: [0, 2],
      timeout: 120_000,
    });
    const found = stdout
      .toString()
      .split("\n")
      .map((line) => line.split("\t") as [string, string]);
    // An annotated tag's commit, then a tag, then a branch: git's own order when names collide.
    const match = [`refs/tags/${ref}^{}`, `refs/tags/${ref}`, `refs/heads/${ref}`, ref]
      .map((name) => found.find(([, full]) => full === name))
      .find((pair) => pair !== undefined);
    if (match === undefined) throw new BootwrightError("NAME_UNKNOWN", `${url} has no branch or tag ${ref}`);
    return { type: "git", commit: match[0] };
  }
}

/** Follows meta packages to the package that holds the kernel; Ubuntu keeps modules in a package of their own. */
function kernelPackages(archive: DebianArchive, name: string) {
  let stanza = archive.get(name);
  for (let hops = 0; hops < 5; hops++) {
    const next = dependsOf(stanza)
      .flat()
      .find((relation) => relation.name.startsWith("linux-image-"));
    if (next === undefined) break;
    stanza = archive.get(next.name);
  }
  const modules = dependsOf(stanza)
    .flat()
    .filter((relation) => relation.name.startsWith("linux-modules-"));
  return [stanza, ...modules.map((relation) => archive.get(relation.name))].map(pinOf);
}
