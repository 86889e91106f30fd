/**
 * `manifest.json`, the first member of a bundle: what the bundle is, and the digest of each file in it. A bundle is a
 * `tar.zst` of plain files: at least one of `vmlinux`, `bzImage` and `Image`; where there is one also `initrd.img`,
 * `config`, `System.map`, and the module tree below `modules/RELEASE/`.
 */
import type { Digest } from "../base/digest.ts";
import { canonicalJson, type Json } from "../base/json.ts";
import { ARCHES, type Arch, FEATURE, NAME, SHA256, Shape, VERSION } from "../base/json-shape.ts";
import { safePath } from "../formats/filetree.ts";

export const MANIFEST = "manifest.json";
const SCHEMA = "bootwright.bundle/1";

/** A toolchain's packages are a hundred, each with its version. */
const PROVENANCE = /^[^\0]{0,65536}$/;

/** What a kernel is started from, best first. `vmlinux` is the ELF file that Firecracker needs. */
export const IMAGE_NAMES = { x86_64: ["bzImage", "vmlinux"], aarch64: ["Image", "vmlinux"] } as const;

export interface BundleIdentity {
  readonly name: string;
  readonly version: string;
  readonly arch: Arch;
}

export interface BundleManifest extends BundleIdentity {
  /** `uname -r`; "" when the kernel does not say. */
  readonly release: string;
  /** SHA-256 of the kernel's configuration; absent when there is none. */
  readonly config?: string;
  /** Options that users of bundles ask for: "VIRTIO_BLK", or "EXT4_FS=m". Sorted. */
  readonly features: readonly string[];
  /** Where it comes from: free text by name. */
  readonly provenance: Readonly<Record<string, string>>;
  /** By path in the archive; the manifest itself is not among them. */
  readonly files: Readonly<Record<string, Digest>>;
}

/** Canonical JSON: the same bundle has the same bytes. */
export function encodeManifest(manifest: BundleManifest): string {
  const { files, ...rest } = manifest;
  const digests = Object.fromEntries(
    Object.entries(files).map(([path, { hash, size }]) => [path, { sha256: hash, size }]),
  );
  return `${canonicalJson({ schema: SCHEMA, ...rest, files: digests } as unknown as Json)}\n`;
}

/** Throws FORMAT_INVALID, PATH_UNSAFE. */
export function decodeManifest(bytes: Uint8Array, what: string): BundleManifest {
  const shape = new Shape(`${what}: ${MANIFEST}`);
  const value = shape.parse(bytes);
  shape.word(value.schema, { member: "schema", of: [SCHEMA] });
  const files = Object.entries(shape.object(value.files, "files")).map(([path, file]): [string, Digest] => {
    if (safePath(path, what) !== path || path === "" || path === MANIFEST)
      throw shape.invalid(`"${path}" is no file of a bundle`);
    const { sha256, size } = shape.object(file, path);
    return [
      path,
      { hash: shape.text(sha256, { member: `${path}: sha256`, like: SHA256 }), size: shape.count(size, path) },
    ];
  });
  return {
    ...decodeIdentity(value, shape),
    release: shape.text(value.release, { member: "release", like: /^[\x21-\x2e\x30-\x7e]{0,64}$/ }),
    ...(value.config !== undefined && { config: shape.text(value.config, { member: "config", like: SHA256 }) }),
    features: decodeFeatures(value.features, shape),
    provenance: Object.fromEntries(
      Object.entries(shape.object(value.provenance, "provenance")).map(([name, text]) => [
        name,
        shape.text(text, { member: `provenance: ${name}`, like: PROVENANCE }),
      ]),
    ),
    files: Object.fromEntries(files),
  };
}

export function decodeIdentity(value: Readonly<Record<string, unknown>>, shape: Shape): BundleIdentity {
  return {
    name: shape.text(value.name, { member: "name", like: NAME }),
    version: shape.text(value.version, { member: "version", like: VERSION }),
    arch: shape.word(value.arch, { member: "arch", of: ARCHES }),
  };
}

export const decodeFeatures = (value: unknown, shape: Shape): readonly string[] =>
  shape.list(value, "features").map((one) => shape.text(one, { member: "features", like: FEATURE }));

/** "generic-6.12 6.12.48 (x86_64)". */
export const describeBundle = ({ name, version, arch }: BundleIdentity): string => `${name} ${version} (${arch})`;
