/** An Alpine mirror of a test's own: packages and indexes signed with a key that is made for it, in a directory. */
import { createHash, createSign, generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { comparePaths } from "../../src/base/bytes.ts";
import type { FileTree, TreeEntry } from "../../src/formats/filetree.ts";
import { encodeTar } from "../../src/formats/tar-writer.ts";

export interface TestPackage {
  readonly name: string;
  readonly version?: string;
  /** Lines of .PKGINFO beside the usual, such as "depend = /bin/sh". */
  readonly info?: readonly string[];
  readonly scripts?: Readonly<Record<string, string>>;
  readonly files?: readonly TestFile[];
}

export interface TestFile {
  readonly path: string;
  readonly content?: string | Buffer;
  readonly target?: string;
  readonly mode?: number;
  readonly uid?: number;
}

export interface Signer {
  /** The key's file name. */
  readonly name: string;
  readonly publicKey: string;
  sign(bytes: Uint8Array): Buffer;
  readonly kind: "RSA" | "RSA256";
}

export function makeSigner(name = "test@example.invalid-1.rsa.pub", kind: Signer["kind"] = "RSA"): Signer {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const digest = kind === "RSA" ? "RSA-SHA1" : "RSA-SHA256";
  return {
    ...{ name, kind, publicKey: publicKey.export({ type: "spki", format: "pem" }) as string },
    sign: (bytes) => createSign(digest).update(bytes).sign(privateKey),
  };
}

/** Segments of packages have no end mark: cut as abuild-tar --cut cuts. */
function segment(files: readonly TestFile[], { cut }: { cut: boolean }): Buffer {
  const contents = new Map<string, Buffer>();
  const tree = files.map((file): TreeEntry => {
    const common = { path: file.path, uid: file.uid ?? 0, gid: 0 };
    if (file.target !== undefined) return { type: "symlink", ...common, mode: 0o777, target: file.target };
    if (file.content === undefined) return { type: "directory", ...common, mode: file.mode ?? 0o755 };
    const bytes = Buffer.from(file.content);
    contents.set(file.path, bytes);
    return { type: "file", ...common, mode: file.mode ?? 0o644, content: { hash: file.path, size: bytes.length } };
  });
  const sorted: FileTree = tree.sort((a, b) => comparePaths(a.path, b.path));
  const tar = Buffer.concat(
    [...encodeTar(sorted, { read: ({ hash }) => [contents.get(hash)!], mtime: 1_000_000_000 })].map((chunk) =>
      Buffer.from(chunk),
    ),
  );
  return gzipSync(cut ? tar.subarray(0, -1024) : tar);
}

const signature = (signer: Signer, bytes: Uint8Array): Buffer =>
  segment([{ path: `.SIGN.${signer.kind}.${signer.name}`, content: signer.sign(bytes) }], { cut: true });

const ARCH = "x86_64";

/** A package file, and its stanza in an index. */
export function makePackage(one: TestPackage, signer: Signer): { bytes: Buffer; stanza: string } {
  const { name, version = "1.0-r0", info = [], scripts = {}, files = [] } = one;
  const data = segment(files, { cut: false });
  const dataHash = createHash("sha256").update(data).digest("hex");
  const pkginfo = [
    ...[`pkgname = ${name}`, `pkgver = ${version}`, "pkgdesc = A test", "url = -", `arch = ${ARCH}`, "size = 4096"],
    ...["license = MIT", `origin = ${name}`, ...info, `datahash = ${dataHash}`, ""],
  ];
  const control = segment(
    [
      { path: ".PKGINFO", content: pkginfo.join("\n") },
      ...Object.entries(scripts).map(([script, content]) => ({ path: `.${script}`, content, mode: 0o755 })),
    ],
    { cut: true },
  );
  const bytes = Buffer.concat([signature(signer, control), control, data]);
  const lines = (field: string): string =>
    info
      .filter((line) => line.startsWith(`${field} = `))
      .map((line) => line.slice(field.length + 3))
      .join(" ");
  const optional = [
    ["D", lines("depend")],
    ["p", lines("provides")],
    ["i", lines("install_if")],
    ["k", lines("provider_priority")],
  ].filter(([, value]) => value !== "");
  const identity = createHash("sha1").update(control).digest("base64");
  const stanza = [
    ...[`C:Q1${identity}`, `P:${name}`, `V:${version}`, `A:${ARCH}`, `S:${bytes.length}`, "I:4096", "T:A test"],
    ...optional.map(([letter, value]) => `${letter}:${value}`),
    "",
  ];
  return { bytes, stanza: stanza.join("\n") };
}

export function makeIndex(stanzas: readonly string[], signer: Signer): Buffer {
  const packed = segment(
    [
      { path: "APKINDEX", content: `${stanzas.join("\n")}\n` },
      { path: "DESCRIPTION", content: "test" },
    ],
    { cut: false },
  );
  return Buffer.concat([signature(signer, packed), packed]);
}

/** Writes branch v9.9, repository main, and the key as `key` beside them. */
export function writeMirror(dir: string, packages: readonly TestPackage[], signer: Signer): void {
  const at = path.join(dir, "v9.9/main", ARCH);
  fs.mkdirSync(at, { recursive: true });
  const made = packages.map((one) => {
    const { bytes, stanza } = makePackage(one, signer);
    fs.writeFileSync(path.join(at, `${one.name}-${one.version ?? "1.0-r0"}.apk`), bytes);
    return stanza;
  });
  fs.writeFileSync(path.join(at, "APKINDEX.tar.gz"), makeIndex(made, signer));
  fs.writeFileSync(path.join(dir, signer.name), signer.publicKey);
}
