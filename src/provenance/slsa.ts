/** How an artifact was made, in the words of SLSA (provenance v1). The same build says the same: no time, machine or user is in it. */
import { comparePaths } from "../base/bytes.ts";
import type { Json } from "../base/json.ts";
import type { Material } from "./material.ts";

/** What `externalParameters` and `internalParameters` mean: docs/guides/provenance.md. */
export const BUILD_TYPE = "urn:bootwright:build:1";
/** Of a build that nobody vouches for but its signer. */
export const LOCAL_BUILDER = "urn:bootwright:builder:local";

/** Of who builds, and what was asked. */
export interface BuildFacts {
  /** A URI. */
  readonly builder: string;
  /** Bootwright's own. */
  readonly version: string;
  readonly profiles: readonly string[];
  /** What the config consists of: paths below the project, SHA-256. */
  readonly configFiles: readonly { readonly name: string; readonly sha256: string }[];
  /** Of the project's repository; undefined when it is in none, or differs from its commit. */
  readonly commit?: string | undefined;
}

export interface BuildRequest {
  readonly project: string;
  readonly projectVersion: string | undefined;
  readonly image: string;
  readonly kind: string;
  readonly architecture: string;
  /** Seconds. */
  readonly epoch: number;
}

export function slsaPredicate(
  request: BuildRequest,
  { facts, materials }: { readonly facts: BuildFacts; readonly materials: readonly Material[] },
): Json {
  const { project, projectVersion, image, kind, architecture, epoch } = request;
  return {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: {
        ...{ project, image, kind, architecture, profiles: facts.profiles },
        ...(projectVersion !== undefined && { projectVersion }),
        config: facts.configFiles.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
        ...(facts.commit !== undefined && { source: { digest: { gitCommit: facts.commit } } }),
      },
      internalParameters: { sourceDateEpoch: epoch },
      resolvedDependencies: [...materials].sort(byName).map(({ name, uri, digest, role }) => ({
        ...{ name, uri, digest: { ...digest } },
        annotations: { role },
      })),
    },
    runDetails: { builder: { id: facts.builder, version: { bootwright: facts.version } } },
  };
}

const byName = (a: Material, b: Material): number =>
  comparePaths(a.uri, b.uri) || comparePaths(a.name, b.name) || comparePaths(a.role, b.role);
