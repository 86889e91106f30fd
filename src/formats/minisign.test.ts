import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { temporaryDir } from "../../test/support/test-session.ts";
import {
  formatMinisignKey,
  keyName,
  minisignKeyOf,
  parseMinisignKey,
  signMinisign,
  verifyMinisign,
} from "./minisign.ts";

const { privateKey: secret } = generateKeyPairSync("ed25519");
const key = minisignKeyOf(secret);
const bytes = Buffer.from("an index of bundles\n");
const comments = { untrusted: "of a test", trusted: "serial:1 name:kernels" };
const text = signMinisign(bytes, { secret, ...comments });
const check = (changed: { bytes?: Uint8Array; text?: string; keys?: readonly (typeof key)[] } = {}) =>
  verifyMinisign(changed.bytes ?? bytes, { text: changed.text ?? text, keys: changed.keys ?? [key], what: "index" });

test("a signature verifies, and gives its trusted comment", () => {
  expect(check()).toBe(comments.trusted);
});

test("a public key is read as it was written", () => {
  expect(parseMinisignKey(formatMinisignKey(key), "key")).toEqual({ id: key.id, key: Buffer.from(key.key) });
});

describe("minisign itself", () => {
  const minisign = needProgram("minisign", "minisign");
  const dir = temporaryDir();
  const file = (name: string) => path.join(dir, name);

  test("verifies what we sign", () => {
    fs.writeFileSync(file("index"), bytes);
    fs.writeFileSync(file("index.minisig"), text);
    fs.writeFileSync(file("our.pub"), formatMinisignKey(key));
    const out = execFileSync(minisign, ["-V", "-p", file("our.pub"), "-m", file("index")], { encoding: "utf8" });
    expect(out).toContain(comments.trusted);
  });

  test("refuses what was changed after we signed it", () => {
    fs.writeFileSync(file("changed"), "another index\n");
    fs.writeFileSync(file("changed.minisig"), text);
    fs.writeFileSync(file("our.pub"), formatMinisignKey(key));
    expect(() =>
      execFileSync(minisign, ["-V", "-p", file("our.pub"), "-m", file("changed")], { stdio: "pipe" }),
    ).toThrow(/verification failed/i);
  });

  test.each([
    ["hashed", "-H"],
    ["plain", "-l"],
  ])("signs what we verify: %s", (name, flag) => {
    execFileSync(minisign, ["-G", "-W", "-f", "-p", file("their.pub"), "-s", file("their.key")], { stdio: "pipe" });
    const signed = file(`theirs-${name}`);
    fs.writeFileSync(signed, bytes);
    execFileSync(minisign, ["-S", flag, "-s", file("their.key"), "-m", signed, "-t", "from minisign"], {
      stdio: "pipe",
    });
    const theirs = parseMinisignKey(fs.readFileSync(file("their.pub"), "utf8"), "their.pub");
    expect(check({ text: fs.readFileSync(`${signed}.minisig`, "utf8"), keys: [key, theirs] })).toBe("from minisign");
  });
});

describe("refused", () => {
  const stranger = generateKeyPairSync("ed25519").privateKey;

  test("other bytes", () => {
    expect(() => check({ bytes: Buffer.from("another index\n") })).toThrow(
      expect.objectContaining({ code: "SIGNATURE_INVALID", message: expect.stringContaining("not of these bytes") }),
    );
  });

  test("a changed comment", () => {
    expect(() => check({ text: text.replace("serial:1", "serial:9") })).toThrow(
      expect.objectContaining({ code: "SIGNATURE_INVALID", message: expect.stringContaining("trusted comment") }),
    );
  });

  test("a key that is not trusted: both are named", () => {
    expect(() => check({ keys: [minisignKeyOf(stranger)] })).toThrow(
      expect.objectContaining({
        code: "SIGNATURE_INVALID",
        message: expect.stringMatching(new RegExp(`${keyName(key.id)}.*${keyName(minisignKeyOf(stranger).id)}`)),
      }),
    );
  });

  test("a stranger's signature under a trusted key's number", () => {
    const forged = signMinisign(bytes, { secret: stranger, ...comments });
    const impostor = { ...key, id: minisignKeyOf(stranger).id };
    expect(() => check({ text: forged, keys: [impostor] })).toThrow(
      expect.objectContaining({ code: "SIGNATURE_INVALID" }),
    );
  });

  test("text that is no signature, whatever it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom("", "\n\n\n", text.slice(0, 90), `${text}x`)), (other) => {
        expect(() => check({ text: other })).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
      }),
    );
  });

  test("a signature with any one character changed", () => {
    const from = text.indexOf("\n") + 1; // The first line is protected by nothing, and says so.
    fc.assert(
      fc.property(
        fc.integer({ min: from, max: text.length - 2 }),
        fc.constantFrom("A", "z", "0", "\n", "="),
        (at, c) => {
          fc.pre(text[at] !== c);
          const changed = text.slice(0, at) + c + text.slice(at + 1);
          expect(() => check({ text: changed })).toThrow(expect.objectContaining({ name: "BootwrightError" }));
        },
      ),
    );
  });

  test("a public key that is none", () => {
    for (const other of ["", "RW", "untrusted comment: x\nRWQ=", formatMinisignKey(key).slice(0, -3)])
      expect(() => parseMinisignKey(other, "k.pub")).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });
});
