/** What went into an image: read off the graph of its stages, and called by the names that the lock has for it. */
import { comparePaths } from "../base/bytes.ts";
import {
  genericUrl,
  type Material,
  type MaterialRole,
  packageUrl,
  publicAddress,
  publicPath,
} from "../provenance/material.ts";
import type { Lock, LockEntry } from "../source/lock.ts";
import { type AnyStage, type Input, isRef } from "../stage/stage.ts";

/** Inputs of stages that run and leave no byte of their own. */
const TOOL_INPUTS = new Set(["toolroot", "libfakeroot.so"]);

/** The stages whose bytes may be in what `target` gives, and those that only ran. */
export function stageRoles(target: AnyStage): ReadonlyMap<AnyStage, MaterialRole> {
  const roles = new Map<AnyStage, MaterialRole>();
  const visit = (stage: AnyStage, role: MaterialRole): void => {
    if (roles.get(stage) === "content" || roles.get(stage) === role) return;
    roles.set(stage, role);
    for (const [name, value] of Object.entries(stage.inputs))
      for (const input of [value ?? []].flat() as Input[])
        if (isRef(input)) visit(input.stage, TOOL_INPUTS.has(name) ? "tool" : role);
  };
  visit(target, "content");
  return roles;
}

export function imageMaterials(roles: ReadonlyMap<AnyStage, MaterialRole>, lock: Lock): readonly Material[] {
  const pins = pinnedMaterials(lock);
  const found = new Map<string, Material>();
  for (const [stage, role] of roles) {
    const known = sourceOf(stage, pins);
    if (known === undefined) continue;
    // One thing may come by two stages: for the image, and for what builds it.
    const key = `${known.uri} ${JSON.stringify(known.digest)}`;
    if (found.get(key)?.role !== "content") found.set(key, { ...known, role });
  }
  return [...found.values()].sort((a, b) => comparePaths(a.uri, b.uri));
}

type Unplaced = Omit<Material, "role">;

function sourceOf(stage: AnyStage, pins: ReadonlyMap<string, Unplaced>): Unplaced | undefined {
  const params = stage.params as Readonly<Record<string, unknown>>;
  switch (stage.kind) {
    case "fetch": {
      const sha256 = Object.values(stage.pinned ?? {})[0]!.hash;
      return pins.get(sha256) ?? { name: "layer", uri: `urn:sha256:${sha256}`, digest: { sha256 } };
    }
    case "git":
      return pins.get(String(params.commit));
    case "local": {
      const name = publicPath(stage.name.slice("local:".length));
      return { name, uri: `urn:bootwright:local:${encodeURI(name)}`, digest: { bootwrightTree: String(params.tree) } };
    }
    case "host-toolroot":
      return { name: "tools of the host", uri: "urn:bootwright:host-tools", digest: {} };
    default:
      return undefined;
  }
}

/** By SHA-256, or by commit. */
function pinnedMaterials(lock: Lock): ReadonlyMap<string, Unplaced> {
  const pins = new Map<string, Unplaced>();
  for (const [request, entry] of Object.entries(lock).sort(([a], [b]) => comparePaths(a, b)))
    for (const [key, material] of materialsOf(request, entry)) if (!pins.has(key)) pins.set(key, material);
  return pins;
}

function materialsOf(request: string, entry: LockEntry): readonly (readonly [string, Unplaced])[] {
  const words = request.split(" ");
  switch (entry.type) {
    case "debian":
    case "alpine":
      return entry.packages.map(({ name, version, arch, sha256 }) => {
        const identity = { type: entry.type === "debian" ? "deb" : "apk", name, version, arch } as const;
        return [sha256, { name, uri: packageUrl(identity), digest: { sha256 }, package: identity }];
      });
    case "image": {
      const image = publicAddress(`oci://${words.at(-1)}`);
      return entry.layers.map(({ sha256 }) => [
        sha256,
        { name: image, uri: image, digest: { sha256: entry.manifest } },
      ]);
    }
    case "release": {
      const name = words.at(-1) ?? "";
      return [[entry.sha256, { name, uri: genericUrl(name, entry.version), digest: { sha256: entry.sha256 } }]];
    }
    case "bundle": {
      const [, , , name = ""] = words;
      return [[entry.sha256, { name, uri: genericUrl(name, entry.version), digest: { sha256: entry.sha256 } }]];
    }
    case "git": {
      const address = publicAddress(words[1] ?? "");
      return [[entry.commit, { name: address, uri: `git+${address}`, digest: { gitCommit: entry.commit } }]];
    }
    default: {
      const [kind, what = ""] = words;
      const uri = kind === "kernel" ? genericUrl("linux", what) : publicAddress(what);
      const name = kind === "kernel" ? `linux ${what}` : (uri.split("/").at(-1) ?? uri);
      return [[entry.sha256, { name, uri, digest: { sha256: entry.sha256 } }]];
    }
  }
}
