/**
 * A catalog's index: which bundles there are. Each index is one immutable file, `index/SERIAL`: a minisign signature
 * (four lines) and behind it the JSON that it signs. `current` holds the newest serial; it needs no signature, since who
 * could change it could only point to an index that is older, which is refused, or to one that is not there.
 */
import { createHash, type KeyObject } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { SHA256, Shape } from "../base/json-shape.ts";
import { keyName, type MinisignKey, minisignKeyOf, signMinisign, verifyMinisign } from "../formats/minisign.ts";
import { type BundleIdentity, decodeFeatures, decodeIdentity } from "./manifest.ts";

const SCHEMA = "bootwright.catalog/1";

/** Bytes; an index of ten thousand bundles has about eight million. */
export const MAX_INDEX = 64 * 1024 * 1024;

export interface CatalogEntry extends BundleIdentity {
  readonly release: string;
  /** Of the bundle's file, in bytes. */
  readonly size: number;
  readonly sha256: string;
  readonly features: readonly string[];
  /** When it was added: ISO 8601, UTC. */
  readonly added: string;
}

export interface CatalogIndex {
  readonly name: string;
  /** Counts up by one with each change; never goes back. */
  readonly serial: number;
  readonly updated: string;
  /** SHA-256 of the index file before this one; "" for the first. */
  readonly previous: string;
  readonly bundles: readonly CatalogEntry[];
}

export const CURRENT = "current";
export const indexPath = (serial: number): string => `index/${serial}`;
export const bundlePath = (sha256: string): string => `bundles/${sha256}.tar.zst`;

export function signIndex(index: CatalogIndex, secret: KeyObject): Buffer {
  const json = Buffer.from(`${JSON.stringify({ schema: SCHEMA, ...index } as unknown as Json, null, 1)}\n`);
  const signature = signMinisign(json, {
    secret,
    untrusted: `signature of catalog ${index.name} with key ${keyName(minisignKeyOf(secret).id)}`,
    trusted: `catalog:${index.name} serial:${index.serial}`,
  });
  return Buffer.concat([Buffer.from(signature), json]);
}

/** Throws SIGNATURE_INVALID, FORMAT_INVALID. */
export function openIndex(
  file: Uint8Array,
  { keys, what }: { keys: readonly MinisignKey[]; what: string },
): CatalogIndex {
  const { signature, json } = splitIndex(file, what);
  verifyMinisign(json, { text: signature, keys, what });
  return decodeIndex(json, what);
}

/** SHA-256 of each bundle, whoever signed the index: nothing is to be believed of them. Throws FORMAT_INVALID. */
export const namedBundles = (file: Uint8Array, what: string): readonly string[] =>
  decodeIndex(splitIndex(file, what).json, what).bundles.map(({ sha256 }) => sha256);

export const indexDigest = (file: Uint8Array): string => createHash("sha256").update(file).digest("hex");

/** The two parts, as minisign's own program takes them. */
export function splitIndex(file: Uint8Array, what: string): { signature: string; json: Uint8Array } {
  let at = 0;
  for (let line = 0; line < 4; line++) {
    at = file.indexOf(0x0a, at) + 1;
    // Four lines of a signature have about 300 bytes: no need to search a large file that has none.
    if (at === 0 || at > 4096)
      throw new BootwrightError("FORMAT_INVALID", `${what}: an index starts with the four lines of its signature`);
  }
  return { signature: Buffer.from(file.subarray(0, at)).toString("utf8"), json: file.subarray(at) };
}

function decodeIndex(json: Uint8Array, what: string): CatalogIndex {
  const shape = new Shape(what);
  const value = shape.parse(json);
  shape.word(value.schema, { member: "schema", of: [SCHEMA] });
  const bundles = shape.list(value.bundles, "bundles").map((one): CatalogEntry => {
    const entry = shape.object(one, "a bundle");
    return {
      ...decodeIdentity(entry, shape),
      release: shape.text(entry.release, { member: "release", like: /^[^\s/]{0,64}$/ }),
      size: shape.count(entry.size, "size"),
      sha256: shape.text(entry.sha256, { member: "sha256", like: SHA256 }),
      features: decodeFeatures(entry.features, shape),
      added: time(entry.added, { shape, member: "added" }),
    };
  });
  return {
    name: shape.text(value.name, { member: "name", like: /^[a-z0-9][a-z0-9._-]{0,127}$/ }),
    serial: shape.count(value.serial, "serial"),
    updated: time(value.updated, { shape, member: "updated" }),
    previous: shape.text(value.previous, { member: "previous", like: /^([0-9a-f]{64})?$/ }),
    bundles,
  };
}

const time = (value: unknown, { shape, member }: { shape: Shape; member: string }): string =>
  shape.text(value, { member, like: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/ });
