import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestOf } from "../base/digest.ts";
import { isBootwrightError } from "../base/errors.ts";
import {
  choosePlatform,
  MAX_OCI_DOCUMENT,
  OCI_TYPES,
  parseOciConfig,
  parseOciIndex,
  parseOciLayout,
  parseOciManifest,
  verifyOciBlob,
} from "./oci.ts";

const digest = `sha256:${"a".repeat(64)}`;
const descriptor = (mediaType: string, more: object = {}) => ({ mediaType, digest, size: 7, ...more });
const layer = descriptor(OCI_TYPES.gzipLayer);
const manifest = { schemaVersion: 2, config: descriptor(OCI_TYPES.config), layers: [layer] };
const index = { schemaVersion: 2, manifests: [descriptor(OCI_TYPES.manifest)] };
const config = { os: "linux", architecture: "arm64", variant: "v8", rootfs: { type: "layers", diff_ids: [digest] } };
const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const codeOf = (run: () => unknown): string => {
  try {
    run();
    return "fine";
  } catch (error) {
    if (isBootwrightError(error)) return error.code;
    throw error;
  }
};

describe("documents", () => {
  it("are read", () => {
    parseOciLayout(bytes({ imageLayoutVersion: "1.0.0" }), "oci-layout");
    expect(parseOciIndex(bytes(index), "index")[0]).toMatchObject({ hash: "a".repeat(64), size: 7 });
    expect(parseOciManifest(bytes(manifest), "manifest").layers).toHaveLength(1);
    expect(parseOciConfig(bytes(config), "config")).toEqual({
      os: "linux",
      architecture: "arm64",
      variant: "v8",
      diffIds: ["a".repeat(64)],
    });
  });
  it("of Docker are read, and null is absent as Go writes it", () => {
    const docker = "application/vnd.docker.";
    parseOciIndex(bytes({ ...index, mediaType: `${docker}distribution.manifest.list.v2+json` }), "index");
    const read = parseOciManifest(
      bytes({
        schemaVersion: 2,
        mediaType: `${docker}distribution.manifest.v2+json`,
        config: descriptor(`${docker}container.image.v1+json`, { annotations: null, platform: null }),
        layers: [descriptor(`${docker}image.rootfs.diff.tar.gzip`)],
      }),
      "manifest",
    );
    expect(read.config.annotations.size).toBe(0);
  });
  it.each<[what: string, code: string, run: () => unknown]>([
    ["no JSON", "FORMAT_INVALID", () => parseOciIndex(bytes("{"), "x")],
    ["no UTF-8", "FORMAT_INVALID", () => parseOciIndex(Buffer.of(0x22, 0xff, 0x22), "x")],
    ["a list", "FORMAT_INVALID", () => parseOciIndex(bytes("[]"), "x")],
    ["schema 1", "FORMAT_INVALID", () => parseOciManifest(bytes({ ...manifest, schemaVersion: 1 }), "x")],
    ["a manifest as index", "FORMAT_INVALID", () => parseOciIndex(bytes(manifest), "x")],
    ["a wrong media type", "FORMAT_INVALID", () => parseOciIndex(bytes({ ...index, mediaType: "text/plain" }), "x")],
    [
      "a negative size",
      "FORMAT_INVALID",
      () => parseOciIndex(bytes({ ...index, manifests: [{ ...layer, size: -1 }] }), "x"),
    ],
    [
      "a short digest",
      "FORMAT_INVALID",
      () => parseOciIndex(bytes({ ...index, manifests: [{ ...layer, digest: "sha256:../../etc" }] }), "x"),
    ],
    [
      "another hash",
      "UNSUPPORTED",
      () => parseOciIndex(bytes({ ...index, manifests: [{ ...layer, digest: `sha512:${"a".repeat(128)}` }] }), "x"),
    ],
    [
      "a chart",
      "UNSUPPORTED",
      () =>
        parseOciManifest(bytes({ ...manifest, config: descriptor("application/vnd.cncf.helm.config.v1+json") }), "x"),
    ],
    [
      "an encrypted layer",
      "UNSUPPORTED",
      () => parseOciManifest(bytes({ ...manifest, layers: [descriptor(`${OCI_TYPES.gzipLayer}+encrypted`)] }), "x"),
    ],
    [
      "too many layers",
      "LIMIT_EXCEEDED",
      () => parseOciManifest(bytes({ ...manifest, layers: Array(1025).fill(layer) }), "x"),
    ],
    ["a huge document", "LIMIT_EXCEEDED", () => parseOciIndex(Buffer.alloc(MAX_OCI_DOCUMENT + 1, " "), "x")],
    ["a config without layers", "FORMAT_INVALID", () => parseOciConfig(bytes({ ...config, rootfs: undefined }), "x")],
    ["layout 2", "UNSUPPORTED", () => parseOciLayout(bytes({ imageLayoutVersion: "2.0.0" }), "x")],
    ["other bytes", "DIGEST_MISMATCH", () => verifyOciBlob(bytes("b"), digestOf("a"), "x")],
  ])("%s: %s", (_what, code, run) => expect(codeOf(run)).toBe(code));

  it("of any shape give a result or a code", () => {
    const allowed = ["fine", "FORMAT_INVALID", "UNSUPPORTED", "LIMIT_EXCEEDED"];
    const every = (input: Uint8Array) => {
      for (const parse of [parseOciLayout, parseOciIndex, parseOciManifest, parseOciConfig])
        expect(allowed).toContain(codeOf(() => parse(input, "x")));
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), every));
    fc.assert(fc.property(fc.json(), (text) => every(bytes(text))));
    // Near misses: a right document in which one member is anything.
    const documents = [index, manifest, config].map((document) => document as Record<string, unknown>);
    fc.assert(
      fc.property(fc.constantFrom(...documents), fc.nat(5), fc.jsonValue(), (document, which, value) => {
        const key = Object.keys(document)[which % Object.keys(document).length]!;
        every(bytes({ ...document, [key]: value }));
        every(bytes({ ...document, [key]: [{ ...layer, annotations: value }] }));
      }),
    );
    every(bytes(`${"[".repeat(500_000)}`));
    every(bytes('{"schemaVersion":2,"__proto__":{"manifests":[]}}'));
  });
});

describe("the platform", () => {
  const amd64 = { os: "linux", architecture: "amd64" };
  const images = (...platforms: object[]) => platforms.map((platform) => ({ platform: { ...amd64, ...platform } }));
  it("is the one asked for, its lowest variant first", () => {
    const found = choosePlatform(images({ variant: "v3" }, { architecture: "arm64" }, { variant: "v2" }), amd64, "x");
    expect(found.platform).toEqual({ ...amd64, variant: "v2" });
    expect(choosePlatform(images({ variant: "v2" }, {}), amd64, "x").platform).toEqual(amd64);
  });
  it("that is missing is an error with what there is", () => {
    const there = images({ architecture: "arm64", variant: "v8" }, { os: "windows" });
    expect(() => choosePlatform(there, amd64, "app")).toThrow(
      "app: no image for linux/amd64; there is linux/arm64/v8, windows/amd64",
    );
    expect(() => choosePlatform([], amd64, "app")).toThrow("there is none");
  });
});
