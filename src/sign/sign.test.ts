import { createHash, createPrivateKey } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { testSigner } from "../../test/support/signing.ts";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { tinyPe } from "../../test/support/tiny-pe.ts";
import { silent } from "../base/events.ts";
import { authenticodeDigest, verifyAuthenticode } from "../formats/authenticode.ts";
import { sourceOfBytes } from "../formats/byte-source.ts";
import { runStages } from "../stage/scheduler.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { createKey } from "./create-key.ts";
import { hasSecret, loadSecretKey } from "./key-files.ts";
import { loadSigner } from "./load-signer.ts";
import { checkSignature, makeSignature } from "./make-signature.ts";
import { KEY_TYPES, type KeyConfig } from "./schema.ts";
import { signStage } from "./sign-stage.ts";
import { readRequest, withContent, writeRequest } from "./signing-request.ts";
import { parseWantedText, signatureName, type WantedSignature } from "./wanted-signature.ts";

const ours = testSigner("ours");
const stranger = testSigner("stranger");
const program = tinyPe({ sbat: "sbat,1\n" });
const key = (file: string, more: Partial<KeyConfig> = {}): KeyConfig => ({ file, days: 10, ...more });
const NEW = { subject: "host db", days: 10, now: Date.UTC(2026, 0, 2) } as const;

describe("keys", () => {
  test.each(KEY_TYPES)("%s: the secret is its owner's alone, the rest fits to it", (type) => {
    const dir = tempDir();
    const made = createKey(path.join(dir, "db"), { ...NEW, type });
    expect(fs.statSync(made.secret).mode & 0o777).toBe(0o600);
    if (type === "ed25519") return expect(loadSecretKey(key("db"), dir).asymmetricKeyType).toBe("ed25519");
    const { certificate } = loadSigner(key("db"), dir);
    expect(certificate).toMatchObject({ commonName: "host db", fingerprint: made.fingerprint });
    expect(certificate.notAfter).toBe(Date.UTC(2026, 0, 12));
  });

  test("are never overwritten", () => {
    const dir = tempDir();
    createKey(path.join(dir, "db"), { ...NEW, type: "p256" });
    const before = fs.readFileSync(path.join(dir, "db.key"));
    for (const name of ["db.key", "db.crt"]) {
      expect(() => createKey(path.join(dir, "db"), { ...NEW, type: "p256" })).toThrow(
        expect.objectContaining({ code: "EXISTS" }),
      );
      if (name === "db.key") fs.renameSync(path.join(dir, name), path.join(dir, "kept"));
    }
    expect(fs.readFileSync(path.join(dir, "kept"))).toEqual(before);
  });

  test("with a passphrase are encrypted, and open with it alone", () => {
    const dir = tempDir();
    fs.writeFileSync(path.join(dir, "right"), "correct horse\n");
    fs.writeFileSync(path.join(dir, "wrong"), "battery\n");
    createKey(path.join(dir, "db"), { ...NEW, type: "rsa2048", passphrase: "correct horse" });
    const pem = fs.readFileSync(path.join(dir, "db.key"), "utf8");
    expect(pem).toContain("ENCRYPTED");
    expect(() => createPrivateKey(pem)).toThrow();
    expect(loadSigner(key("db", { passphrase: "right" }), dir).certificate.commonName).toBe("host db");
    expect(() => loadSigner(key("db", { passphrase: "wrong" }), dir)).toThrow(
      expect.objectContaining({ code: "FORMAT_INVALID" }),
    );
    expect(() => loadSigner(key("db"), dir)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("passphrase") }),
    );
  });

  test("that others may read are refused, as is a certificate of another key", () => {
    const dir = tempDir();
    createKey(path.join(dir, "a"), { ...NEW, type: "p256" });
    createKey(path.join(dir, "b"), { ...NEW, type: "p256" });
    fs.copyFileSync(path.join(dir, "b.crt"), path.join(dir, "a.crt"));
    expect(() => loadSigner(key("a"), dir)).toThrow(expect.objectContaining({ code: "SIGNATURE_INVALID" }));
    fs.chmodSync(path.join(dir, "b.key"), 0o640);
    expect(() => loadSigner(key("b"), dir)).toThrow(expect.objectContaining({ code: "ACCESS_DENIED" }));
    expect(hasSecret(key("c"), dir)).toBe(false);
  });
});

const stageOf = (
  store: Store,
  options: { signatures?: Record<string, Uint8Array>; signer?: () => typeof ours } = {},
) => {
  const blob = (bytes: Uint8Array | string) => blobArtifact(store.blobs.put(bytes));
  const { signatures, signer } = options;
  return signStage({
    name: "sign:test",
    image: blob(program),
    key: "db",
    certificate: blob(ours.certificateText),
    signatures:
      signatures === undefined
        ? undefined
        : store.putTree(
            Object.entries(signatures)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([name, bytes]) => ({
                ...{ type: "file", path: name, mode: 0o644, uid: 0, gid: 0, content: store.blobs.put(bytes) },
              })) as never,
          ),
    signer,
    what: "uki test",
    facts: { cmdline: "quiet" },
  });
};

async function run(store: Store, stage: ReturnType<typeof stageOf>) {
  const report = await runStages([stage], {
    ...{ store, emit: silent, signal: new AbortController().signal, project: "p" },
  });
  const image = store.blobs.readAll(report.output(stage, "image") as BlobArtifact);
  const wanted = store.blobs.readAll(report.output(stage, "wanted") as BlobArtifact).toString();
  return { image, wanted };
}

const verified = (image: Uint8Array) =>
  verifyAuthenticode(sourceOfBytes(image), { trusted: [ours.certificate] }).commonName;

describe("the signing stage", () => {
  test("without a key leaves the program as it is, and says which signature is wanted", async () => {
    const store = tempStore();
    const { image, wanted } = await run(store, stageOf(store));
    expect(image).toEqual(program);
    expect(parseWantedText(wanted, "wanted")[0]!).toEqual({
      kind: "authenticode",
      digest: authenticodeDigest(sourceOfBytes(program)),
      key: "db",
      certificate: ours.certificate.fingerprint,
      what: "uki test",
      facts: { cmdline: "quiet" },
    });
  });

  test("signs with a key that is here, or with another machine's answer: the same bytes", async () => {
    const store = tempStore();
    const here = await run(store, stageOf(store, { signer: () => ours }));
    expect(verified(here.image)).toBe("ours");
    const { wanted } = await run(store, stageOf(store));
    const asked = parseWantedText(wanted, "wanted")[0]!;
    const signatures = { [signatureName(asked)]: await makeSignature(ours, asked), other: Buffer.from("x") };
    const there = await run(store, stageOf(store, { signatures }));
    expect(there).toEqual(here);
    expect(here.wanted).toBe("");
  });

  test("does not open a key when the answer is there", async () => {
    const store = tempStore();
    const asked = parseWantedText((await run(store, stageOf(store))).wanted, "wanted")[0]!;
    const signatures = { [signatureName(asked)]: await makeSignature(ours, asked) };
    const signer = () => {
      throw new Error("opened");
    };
    await expect(run(store, stageOf(store, { signatures, signer }))).resolves.toMatchObject({ wanted: "" });
  });

  test("refuses an answer by a stranger, and one of something else", async () => {
    const store = tempStore();
    const asked = parseWantedText((await run(store, stageOf(store))).wanted, "wanted")[0]!;
    for (const bad of [
      await makeSignature(stranger, asked),
      await makeSignature(ours, { ...asked, digest: "ab".repeat(32) }),
    ])
      await expect(run(store, stageOf(store, { signatures: { [signatureName(asked)]: bad } }))).rejects.toMatchObject({
        code: "SIGNATURE_INVALID",
      });
  });
});

describe("a detached signature", () => {
  const content = Buffer.from("0123abcd");
  const wanted: WantedSignature = {
    kind: "detached",
    digest: createHash("sha256").update(content).digest("hex"),
    content: content.toString("base64"),
    key: "verity",
    certificate: ours.certificate.fingerprint,
    what: "root hash",
    facts: {},
  };

  test("is of the content, by the certificate", async () => {
    const signature = await makeSignature(ours, wanted);
    expect(() => checkSignature(signature, { wanted, certificate: ours.certificate })).not.toThrow();
    expect(() => checkSignature(signature, { wanted, certificate: stranger.certificate })).toThrow(/not trusted/);
    const other = Buffer.from("0123abce");
    const changed = {
      ...wanted,
      content: other.toString("base64"),
      digest: createHash("sha256").update(other).digest("hex"),
    };
    expect(() => checkSignature(signature, { wanted: changed, certificate: ours.certificate })).toThrow(
      expect.objectContaining({ code: "SIGNATURE_INVALID" }),
    );
  });
});

describe("a module's signature", () => {
  const module = Buffer.from("\x7fELF and the rest of a module", "latin1");
  const ask = (bytes: Buffer): WantedSignature => ({
    ...{ kind: "module", digest: createHash("sha256").update(bytes).digest("hex"), key: "db" },
    ...{ certificate: ours.certificate.fingerprint, what: "module m.ko", facts: { path: "m.ko" } },
  });
  const requested = (asked: WantedSignature, content: Buffer): string => {
    const dir = path.join(tempDir(), "request");
    const contents = new Map([[asked.digest, () => [content]]]);
    writeRequest(dir, { project: "host", version: "", wanted: [asked], contents });
    expect(readRequest(dir).wanted).toEqual([asked]);
    return dir;
  };

  test("is made of the file in the request, which is looked at", async () => {
    const asked = ask(module);
    const whole = withContent(requested(asked, module), asked);
    const signature = await makeSignature(ours, whole);
    expect(() => checkSignature(signature, { wanted: whole, certificate: ours.certificate })).not.toThrow();
    expect(() => withContent(requested(asked, Buffer.concat([module, module])), asked)).toThrow(
      expect.objectContaining({ code: "DIGEST_MISMATCH" }),
    );
    // Another signature's inside is no module, whatever it is called.
    const other = Buffer.from([0x30, 0x03, 0x02, 0x01, 0x00]);
    expect(() => withContent(requested(ask(other), other), ask(other))).toThrow(/a kernel module is an ELF file/);
    const empty = path.join(tempDir(), "request");
    writeRequest(empty, { project: "host", version: "", wanted: [asked] });
    expect(() => withContent(empty, asked)).toThrow(expect.objectContaining({ code: "PATH_MISSING" }));
  });
});

describe("a signing request", () => {
  const wanted: WantedSignature = {
    ...{ kind: "authenticode", digest: "ab".repeat(32), key: "db", certificate: "cd".repeat(32) },
    ...{ what: "uki host", facts: { cmdline: "quiet" } },
  };
  const request = { project: "host", version: "1.0", wanted: [wanted] };

  test("is read as it was written; a new one replaces it with its answers", () => {
    const dir = path.join(tempDir(), "request");
    writeRequest(dir, request);
    expect(readRequest(dir)).toEqual({ ...request });
    fs.mkdirSync(path.join(dir, "signatures"));
    writeRequest(dir, { ...request, wanted: [] });
    expect(fs.readdirSync(dir)).toEqual(["request.json"]);
  });

  test("refuses what is none: whatever text, whatever member", () => {
    const dir = tempDir();
    const file = path.join(dir, "request.json");
    const write = (value: unknown) => fs.writeFileSync(file, JSON.stringify(value));
    const good = { schema: "bootwright.signing-request/1", ...request };
    write(good);
    expect(readRequest(dir).project).toBe("host");
    for (const changed of [
      { kind: "gpg" },
      { digest: "../../etc" },
      { certificate: "x" },
      { key: "a\nb" },
      { facts: { a: 1 } },
      { content: "aaaa" },
      { kind: "detached", content: "aaaa" },
      // What is inside an Authenticode signature, asked for as something else.
      ...[Buffer.from([0x30, 0x03, 0x02, 0x01, 0x00])].map((der) => ({
        ...{ kind: "detached", content: der.toString("base64") },
        digest: createHash("sha256").update(der).digest("hex"),
      })),
      { kind: "module", content: "aaaa" },
    ]) {
      write({ ...good, wanted: [{ ...wanted, ...changed }] });
      expect(() => readRequest(dir), JSON.stringify(changed)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/FORMAT_INVALID|DIGEST_MISMATCH/) }),
      );
    }
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        fs.writeFileSync(file, text);
        expect(() => readRequest(dir)).toThrow(expect.objectContaining({ name: "BootwrightError" }));
      }),
    );
  });
});
