/** A signed Debian archive in a directory of its own, with keys of its own: what a mirror is, in a few kilobytes. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import type { AptSource } from "../../src/source/apt-config.ts";
import { needProgram } from "./need-program.ts";
import { tempDir } from "./temp-store.ts";

export interface FakePackage {
  readonly name: string;
  readonly version?: string;
  readonly arch?: string;
  readonly depends?: string;
  readonly provides?: string;
  /** Further lines of its stanza: "Essential: yes". */
  readonly fields?: readonly string[];
  /** Of the .deb; default its name and version. */
  readonly content?: Uint8Array;
}

export interface FakeArchiveOptions {
  readonly packages: readonly FakePackage[];
  readonly suite?: string;
  /** What its Release says of itself; default the suite's name for both. */
  readonly signed?: { readonly suite?: string; readonly codename?: string };
  /** Further lines of the Release file: "Valid-Until: …". */
  readonly release?: readonly string[];
  /** Default both. */
  readonly compressions?: readonly ("" | ".gz")[];
  readonly signers?: readonly SigningKey[];
}

export interface FakeArchive {
  readonly dir: string;
  /** By file://. */
  readonly source: AptSource;
  readonly sourceAt: (uri: string) => AptSource;
  readonly file: (name: string) => string;
}

export const SUITE = "testing";

export function debianArchive(options: FakeArchiveOptions): FakeArchive {
  const { suite = SUITE, compressions = ["", ".gz"], signers = [signingKey()] } = options;
  const dir = tempDir();
  const put = (name: string, bytes: string | Uint8Array) => {
    const file = path.join(dir, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, bytes);
    const { hash, size } = digestOf(bytes);
    return ` ${hash} ${size} ${name.slice(`dists/${suite}/`.length)}`;
  };
  const index = options.packages.map((one) => stanza(one, put)).join("\n");
  const sums = compressions.map((suffix) =>
    put(`dists/${suite}/main/binary-amd64/Packages${suffix}`, suffix === "" ? index : gzipSync(index)),
  );
  const signed = options.signed ?? { suite, codename: suite };
  const release = [
    ...(signed.suite === undefined ? [] : [`Suite: ${signed.suite}`]),
    ...(signed.codename === undefined ? [] : [`Codename: ${signed.codename}`]),
    ...(options.release ?? []),
    "SHA256:",
    ...sums,
    "",
  ];
  put(`dists/${suite}/InRelease`, clearSign(release.join("\n"), signers));
  const sourceAt = (uri: string): AptSource => ({ uri, suite, components: ["main"], keyrings: [signers[0]!.keyring] });
  return { dir, source: sourceAt(pathToFileURL(dir).href), sourceAt, file: (name) => path.join(dir, name) };
}

function stanza(one: FakePackage, put: (name: string, bytes: Uint8Array) => string): string {
  const { name, version = "1.0", arch = "amd64" } = one;
  const content = one.content ?? Buffer.from(`${name} ${version}`);
  const file = `pool/main/${name}_${version.replace(":", "%3a")}_${arch}.deb`;
  put(file, content);
  const { hash, size } = digestOf(content);
  const fields = [`Package: ${name}`, `Version: ${version}`, `Architecture: ${arch}`];
  if (one.depends !== undefined) fields.push(`Depends: ${one.depends}`);
  if (one.provides !== undefined) fields.push(`Provides: ${one.provides}`);
  fields.push(...(one.fields ?? []));
  return [...fields, `Filename: ${file}`, `Size: ${size}`, `SHA256: ${hash}`, ""].join("\n");
}

export interface SigningKey {
  readonly home: string;
  /** Public half, as gpgv reads it. */
  readonly keyring: string;
}

export function signingKey(): SigningKey {
  const gpg = needProgram("gpg", "gnupg");
  const home = tempDir();
  fs.chmodSync(home, 0o700);
  const run = (...args: string[]) =>
    execFileSync(gpg, ["--homedir", home, "--batch", "--quiet", ...args], { stdio: "pipe" });
  run("--passphrase", "", "--quick-gen-key", "Test Archive <archive@test.invalid>", "ed25519", "sign", "never");
  const keyring = path.join(home, "keyring.gpg");
  fs.writeFileSync(keyring, run("--export"));
  onTestFinished(() => void execFileSync("gpgconf", ["--homedir", home, "--kill", "all"], { stdio: "ignore" }));
  return { home, keyring };
}

/** Signed by all of them, in one message. */
export function clearSign(text: string, signers: readonly SigningKey[]): Buffer {
  const gpg = needProgram("gpg", "gnupg");
  const [first, ...others] = signers as [SigningKey, ...SigningKey[]];
  const base = ["--homedir", first.home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"];
  const users: string[] = [];
  for (const { home } of signers) {
    const secret = execFileSync(gpg, [
      "--homedir",
      home,
      "--batch",
      "--passphrase",
      "",
      "--pinentry-mode",
      "loopback",
      "--export-secret-keys",
    ]);
    if (others.length > 0 && home !== first.home)
      execFileSync(gpg, [...base, "--import"], { input: secret, stdio: "pipe" });
    const listed = execFileSync(gpg, ["--homedir", home, "--batch", "--with-colons", "--list-secret-keys"], {
      encoding: "utf8",
    });
    users.push("--local-user", /^fpr:+([0-9A-F]+):/m.exec(listed)![1]!);
  }
  return execFileSync(gpg, [...base, ...users.slice(0, 2 * signers.length), "--clearsign"], {
    input: text,
    stdio: "pipe",
  });
}
