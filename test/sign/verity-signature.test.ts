/** The signature of a root hash: what OpenSSL verifies and disks carry, made here or where the keys are. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { documentOf, runCli } from "../support/cli.ts";
import { localProject } from "../support/local-project.ts";
import { needProgram } from "../support/need-program.ts";
import { temporaryDir } from "../support/test-session.ts";

const CONFIG = `
name: signed-root
kernel: { from: file, image: ./vmlinuz }
trees: { root: { files: { /etc/hostname: "signed\\n" } } }
initramfs: { init: busybox, busybox: ./busybox }
keys: { verity: { file: ./keys/verity } }
images:
  root: { kind: erofs, tree: root, verity: true }
  root-hash: { kind: verity-signature, of: root, sign: verity }
  partition: { kind: verity-signature, of: root, sign: verity, format: json }
  uki: { kind: uki, stub: ./stub }
  disk:
    kind: disk
    esp: [uki]
    espSize: 32MiB
    partitions: { root: { type: root, image: root }, sig: { type: root-verity-sig, image: partition } }
`;

/** What `veritysetup --root-hash-signature` and the kernel check: detached, over the hex digits. */
function verify(dir: string, { hash, signature }: { hash: string; signature: Uint8Array }): number | null {
  const scratch = temporaryDir();
  fs.writeFileSync(path.join(scratch, "hash"), hash);
  fs.writeFileSync(path.join(scratch, "p7s"), signature);
  return spawnSync(needProgram("openssl", "openssl"), [
    ...["smime", "-verify", "-binary", "-inform", "DER", "-in", path.join(scratch, "p7s")],
    ...["-content", path.join(scratch, "hash"), "-certfile", path.join(dir, "keys/verity.crt")],
    ...["-nointern", "-noverify", "-out", "/dev/null"],
  ]).status;
}

test("made here, made elsewhere, and the same bytes", async () => {
  const dir = await localProject({ "bootwright.yaml": CONFIG });
  const ok = async (...words: string[]) => {
    const result = await runCli(words, { cwd: dir });
    expect(result.exit, result.stderr).toBe(0);
    return result;
  };
  const out = (name: string): Buffer => fs.readFileSync(path.join(dir, "out", name));
  await ok("keys", "init");
  await ok("build");
  const here = out("root-hash.p7s");
  const partition = JSON.parse(out("partition.json").toString()) as Record<string, string>;
  const hash = partition.rootHash!;
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(Buffer.from(partition.signature!, "base64").equals(here)).toBe(true);
  expect(verify(dir, { hash, signature: here })).toBe(0);
  expect(verify(dir, { hash: hash.toUpperCase(), signature: here })).not.toBe(0);
  const image = path.join(dir, "out/root.erofs");
  const dump = spawnSync(needProgram("veritysetup", "cryptsetup-bin"), [
    ...["verify", image, image, hash, `--hash-offset=${hashOffset(image)}`],
  ]);
  expect(dump.status, String(dump.stderr)).toBe(0);
  expect(out("disk.img").includes(out("partition.json"))).toBe(true);

  fs.renameSync(path.join(dir, "keys/verity.key"), path.join(dir, "vault.key"));
  const unsigned = documentOf(await ok("build", "--json"));
  expect(unsigned.unsigned).toMatchObject([{ what: "root hash of root", key: "verity" }]);
  expect(out("root-hash.p7s").length).toBe(0);
  fs.renameSync(path.join(dir, "vault.key"), path.join(dir, "keys/verity.key"));
  await ok("sign", "out/signing-request", "--keys", "keys");
  fs.renameSync(path.join(dir, "keys/verity.key"), path.join(dir, "vault.key"));
  await ok("attach", "out/signing-request");
  expect(out("root-hash.p7s").equals(here)).toBe(true);
});

/** Where the superblock of the hash tree begins: the only one in the file. */
const hashOffset = (image: string): number => fs.readFileSync(image).indexOf("verity\0\0");

test("what has no hash tree has no root hash to sign", async () => {
  const dir = await localProject({ "bootwright.yaml": CONFIG.replace(", verity: true", "") });
  const { exit, stderr } = await runCli(["plan"], { cwd: dir });
  expect(exit).toBe(2);
  expect(stderr).toContain('"root" has no hash tree: give it `verity: true`');
});
