/**
 * What a project asks of the outside. A request's text is its name in the lock, so it says all that the answer depends
 * on; resolving turns it into a pin.
 */
import { withoutAccount } from "../base/account.ts";
import type { AlpineSource } from "./alpine.ts";
import type { RootWish } from "./debian-root-closure.ts";
import type { KernelOrg } from "./kernel-org.ts";

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
  | BundleRequest
  | ImageRequest
  | ReleaseRequest;

/** An artifact of the release that runs in an environment. */
export interface ReleaseRequest {
  readonly type: "release";
  /** Of `sources.releases`. */
  readonly source: string;
  readonly environment: string;
  readonly artifact: string;
  readonly arch: "x86_64" | "aarch64";
}

/** A container image in a registry. */
export interface ImageRequest {
  readonly type: "image";
  /** Without a scheme: "registry.example.org/team/base:1.2". */
  readonly image: string;
  /** Go's name. */
  readonly architecture: "amd64" | "arm64";
}

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
      return `file ${withoutAccount(request.url)}`;
    case "image":
      return `image ${request.architecture} ${withoutAccount(request.image)}`;
    case "release":
      return `release ${request.arch} ${request.source} ${request.environment} ${request.artifact}`;
    case "bundle":
      return ["bundle", request.arch, request.catalog, request.bundle, request.version].filter(Boolean).join(" ");
    default:
      return `git ${withoutAccount(request.url)} ${request.ref}`;
  }
}
