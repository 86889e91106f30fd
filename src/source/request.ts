/**
 * What a project asks of the outside. A request's text is its name in the lock, so it says all that the answer depends
 * on; resolving turns it into a pin.
 */
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { download } from "../base/http.ts";
import { defaultEnvironment, run } from "../base/process.ts";
import type { Store } from "../store/store.ts";
import { type AlpineSource, pinAlpinePackages } from "./alpine.ts";
import type { AptSource } from "./apt-config.ts";
import { type DebianArchive, dependsOf, openArchive, pinOf } from "./debian-archive.ts";
import { type RootWish, rootPackages } from "./debian-root-closure.ts";
import { refuseOptions } from "./git.ts";
import { type KernelOrg, pinKernel } from "./kernel-org.ts";
import type { LockEntry, LockedBundle } from "./lock.ts";

export type SourceRequest =
  /** A kernel package, or a meta package that leads to one. */
  | {
      readonly type: "debian-kernel";
      readonly package: string;
      readonly arch: string;
      readonly suite?: string | undefined;
    }
  /** Exactly these packages. */
  | {
      readonly type: "debian-packages";
      readonly packages: readonly string[];
      readonly arch: string;
      readonly suite?: string | undefined;
    }
  /** These packages with all that they depend on. */
  | {
      readonly type: "debian-closure";
      readonly packages: readonly string[];
      readonly arch: string;
      readonly suite?: string | undefined;
    }
  /** A root file system's packages; see debian-root-closure.ts. */
  | ({ readonly type: "debian-root"; readonly arch: string; readonly suite?: string | undefined } & RootWish)
  /** A root of Alpine's packages, in the order of installation; `source` says where they are, and is not part of the request's name. */
  | {
      readonly type: "alpine";
      readonly branch: string;
      /** Alpine's name: "x86_64", "aarch64". */
      readonly arch: string;
      readonly packages: readonly string[];
      readonly source: AlpineSource;
    }
  /** A release of kernel.org; `site` says where it is asked for, and is not part of the request's name. */
  | {
      readonly type: "kernel";
      readonly version: string;
      readonly sha256?: string | undefined;
      readonly site: KernelOrg;
    }
  | { readonly type: "file"; readonly url: string; readonly sha256?: string | undefined }
  /** `from` is where `url` leads to when that is a path of the project; it is not part of the request's name. */
  | { readonly type: "git"; readonly url: string; readonly ref: string; readonly from?: string }
  | BundleRequest;

/** A bundle of a catalog that the config names. */
export interface BundleRequest {
  readonly type: "bundle";
  /** "local" is the user's own library. */
  readonly catalog: string;
  readonly bundle: string;
  readonly version?: string | undefined;
  readonly arch: "x86_64" | "aarch64";
}

/** "debian amd64 bookworm kernel linux-image-cloud-amd64". */
export function requestName(request: SourceRequest): string {
  switch (request.type) {
    case "debian-kernel":
      return ["debian", request.suite, request.arch, "kernel", request.package].filter(Boolean).join(" ");
    case "debian-packages":
      return ["debian", request.suite, request.arch, "packages", ...request.packages].filter(Boolean).join(" ");
    case "debian-closure":
      return ["debian", request.suite, request.arch, "closure", ...request.packages].filter(Boolean).join(" ");
    case "debian-root":
      return [
        ...["debian", request.suite, request.arch, "root", request.variant],
        ...[request.recommends && "recommends", ...request.packages],
      ]
        .filter(Boolean)
        .join(" ");
    case "alpine":
      return ["alpine", request.branch, request.arch, ...request.packages].join(" ");
    case "kernel":
      return `kernel ${request.version}`;
    case "file":
      return `file ${request.url}`;
    case "bundle":
      return ["bundle", request.arch, request.catalog, request.bundle, request.version].filter(Boolean).join(" ");
    default:
      return `git ${request.url} ${request.ref}`;
  }
}

export interface ResolveOptions {
  readonly store: Store;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Which archives serve packages; asked only when a package is. */
  readonly aptSources: () => readonly AptSource[];
  /** Catalogs are a domain of their own; absent where nothing asks for a bundle. */
  readonly findBundle?: (request: BundleRequest) => Promise<LockedBundle>;
}

/** Opens each archive once for many requests. */
export class Resolver {
  readonly #options: ResolveOptions;
  readonly #archives = new Map<string, Promise<DebianArchive>>();

  constructor(options: ResolveOptions) {
    this.#options = options;
  }

  archive(arch: string): Promise<DebianArchive> {
    let archive = this.#archives.get(arch);
    if (archive === undefined) {
      archive = openArchive({ ...this.#options, sources: this.#options.aptSources(), arch });
      this.#archives.set(arch, archive);
    }
    return archive;
  }

  async resolve(request: SourceRequest): Promise<LockEntry> {
    switch (request.type) {
      case "debian-kernel":
        return { type: "debian", packages: kernelPackages(await this.archive(request.arch), request.package) };
      case "debian-packages": {
        const archive = await this.archive(request.arch);
        return { type: "debian", packages: request.packages.map((name) => pinOf(archive.get(name))) };
      }
      case "debian-closure":
        return { type: "debian", packages: (await this.archive(request.arch)).closure(request.packages).map(pinOf) };
      case "debian-root":
        return { type: "debian", packages: rootPackages(await this.archive(request.arch), request).map(pinOf) };
      case "alpine":
        return { type: "alpine", packages: await pinAlpinePackages(request.source, request, this.#options) };
      case "kernel":
        return pinKernel(request.version, { ...this.#options, ...request });
      case "file":
        return this.#pinFile(request);
      case "bundle":
        if (this.#options.findBundle === undefined) throw new Error("this resolver knows no catalogs");
        return this.#options.findBundle(request);
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
        `${url}: got sha256:${digest.hash}, the config says sha256:${sha256}`,
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
