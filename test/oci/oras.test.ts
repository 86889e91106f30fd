/** oras, from a later Debian through our own Debian source, on the other side: artifacts in both directions. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { RegistryServer } from "../servers/docker-registry.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { laterProgram } from "../support/later-program.ts";
import { dockerRegistry } from "../support/registry.ts";
import { temporaryDir } from "../support/test-session.ts";

let server: RegistryServer;
let program: string;
beforeAll(async () => {
  server = await dockerRegistry();
  program = await laterProgram("oras");
});

const oras = (cwd: string, ...args: string[]): string =>
  execFileSync(program, args, { cwd, encoding: "utf8", env: { HOME: cwd, NO_PROXY: "127.0.0.1" }, stdio: "pipe" });

async function oci(cwd: string, ...words: string[]) {
  const env = { HOME: cwd, no_proxy: "127.0.0.1" };
  return documentOf(await runCli(["oci", ...words, "--plain-http", "--json"], { cwd, env }));
}

test("oras pulls what we push, with its names and type", async () => {
  const dir = temporaryDir();
  const bytes = randomBytes(200_000);
  fs.writeFileSync(path.join(dir, "k.efi"), bytes);
  fs.writeFileSync(path.join(dir, "notes.txt"), "notes\n");
  const ref = `${server.host}/from/us:1`;
  const { digest } = await oci(dir, "push", "./k.efi", "./notes.txt", ref, "--type", "application/vnd.example.kernel");
  oras(dir, "pull", "--plain-http", ref, "--output", "back");
  expect(fs.readFileSync(path.join(dir, "back/k.efi")).equals(bytes)).toBe(true);
  expect(fs.readFileSync(path.join(dir, "back/notes.txt"), "utf8")).toBe("notes\n");
  expect(oras(dir, "resolve", "--plain-http", ref).trim()).toBe(digest);
  const manifest = JSON.parse(oras(dir, "manifest", "fetch", "--plain-http", ref));
  expect(manifest).toMatchObject({ artifactType: "application/vnd.example.kernel" });
});

test("we pull what oras pushes, and see what it attaches", async () => {
  const dir = temporaryDir();
  const bytes = randomBytes(200_000);
  fs.mkdirSync(path.join(dir, "sub"));
  fs.writeFileSync(path.join(dir, "sub/disk.img"), bytes);
  fs.writeFileSync(path.join(dir, "sbom.json"), "{}\n");
  const ref = `${server.host}/from/oras:1`;
  oras(dir, "push", "--plain-http", ref, "--artifact-type", "application/vnd.example.disk", "sub/disk.img");
  oras(dir, "attach", "--plain-http", ref, "--artifact-type", "application/vnd.example.sbom", "sbom.json");
  const pulled = await oci(dir, "pull", ref, "--to", "back");
  expect(pulled).toMatchObject({ artifactType: "application/vnd.example.disk", files: [{ size: 200_000 }] });
  expect(fs.readFileSync(path.join(dir, "back/sub/disk.img")).equals(bytes)).toBe(true);
  const { referrers } = await oci(dir, "inspect", ref);
  expect(referrers).toMatchObject([{ artifactType: "application/vnd.example.sbom" }]);
});
