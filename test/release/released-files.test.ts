/** Files of a release that runs in prod, as parts of another project's images: boot program, payload, ESP, tree. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { publish } from "../../src/api/publish.ts";
import { sourceOfBytes } from "../../src/formats/byte-source.ts";
import { readFat } from "../../src/formats/fat-reader.ts";
import { booted, guestOutput } from "../support/booted.ts";
import { runCli } from "../support/cli.ts";
import { buildProject, temporaryDir, testSession, writeProject } from "../support/test-session.ts";
import { platformProject } from "./platform-project.ts";

test("an ISO starts a released program and carries released files; a tree unpacks one", {
  timeout: 300_000,
}, async () => {
  const published = path.join(temporaryDir(), "published");
  const platform = await platformProject({ publishes: { kernel: published } });
  const maker = writeProject(`
name: kernel
version: "0.1.0"
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees: { tools: { files: { /bin/tool: "a tool\\n" } } }
initramfs: { init: busybox, modules: [virtio_scsi, sr_mod, isofs] }
images:
  installer: { kind: uki, cmdline: console=ttyS0 }
  tools: { kind: tar, tree: tools, compress: gzip }
publish:
  installer: { image: installer, to: "${published}" }
  tools: { image: tools, to: "${published}" }
`);
  await publish(testSession(maker), { names: [], dryRun: false });
  await platform.json("release", "new", "v0.1.0");
  await platform.json("promote", "test", "v0.1.0");

  const consumer = writeProject(
    `
name: iso
sources:
  releases: { vendor: { record: ${path.join(platform.dir, "record")}, keys: [./release.pub] } }
  files:
    installer: { release: vendor, artifact: installer, env: test, name: installer.efi }
    tools: { release: vendor, artifact: kernel/tools, env: test, name: tools.tar.gz }
trees:
  root:
    from: [{ source: tools, to: /opt }]
    files: { /srv/installer.efi: { source: installer, mode: "0600" }, /srv/run: { source: tools, executable: true } }
images:
  boot: { kind: file, source: installer }
  tools: { kind: file, source: tools }
  note: { kind: file, file: ./note.txt }
  iso: { kind: iso, boot: boot, payload: [tools, note] }
  esp: { kind: esp, contains: [boot, note, { source: tools, to: /data/tools }] }
  root: { kind: tar, tree: root, compress: none }
machines: { iso: { image: iso, ready: "/ # " } }
`,
    {
      "release.pub": fs.readFileSync(path.join(platform.dir, "keys/release.pub"), "utf8"),
      "note.txt": "read me\n",
    },
  );
  const { boot, tools, note, esp, root } = await buildProject(consumer);
  expect([boot, tools, note].map((file) => path.basename(file!))).toEqual([
    "installer.efi",
    "tools.tar.gz",
    "note.txt",
  ]);
  const pinned = JSON.parse(fs.readFileSync(path.join(consumer, "bootwright.lock"), "utf8")).pins;
  expect(Object.keys(pinned).filter((name) => name.startsWith("release"))).toEqual([
    "release x86_64 vendor test installer",
    "release x86_64 vendor test kernel/tools",
  ]);
  const inEsp = readFat(sourceOfBytes(fs.readFileSync(esp!))).entries.filter(({ type }) => type === "file");
  expect(inEsp.map((entry) => entry.path).sort()).toEqual(["EFI/BOOT/BOOTX64.EFI", "data/tools", "note.txt"]);
  const listed = execFileSync("tar", ["-tvf", root!], { encoding: "utf8" });
  expect(listed).toMatch(/-rw-r--r-- .* \.?\/?opt\/bin\/tool\n/);
  expect(listed).toMatch(/-rw------- .* \.?\/?srv\/installer\.efi\n/);
  expect(listed).toMatch(/-rwxr-xr-x .* \.?\/?srv\/run\n/);

  await booted(consumer, { name: "iso" }, async (machine) => {
    const read =
      "mkdir /iso && mount -t iso9660 -o ro /dev/sr0 /iso && cat /iso/payload/note.txt && tar -xzOf /iso/payload/tools.tar.gz";
    expect(await guestOutput(machine, read)).toBe("read me\na tool\n");
  });

  const refused = async (from: string, to: string) => {
    const text = fs.readFileSync(path.join(consumer, "bootwright.yaml"), "utf8");
    const { exit, stderr } = await runCli(["plan"], { cwd: writeProject(text.replace(from, to)) });
    expect(exit).toBe(2);
    return stderr;
  };
  expect(await refused("source: installer }", "source: instaler }")).toContain('no file is named "instaler"');
  expect(await refused("{ release: vendor, artifact: installer", "{ release: vendro, artifact: installer")).toContain(
    'no release source is named "vendro"',
  );
  expect(await refused("{ kind: file, source: installer }", "{ kind: file }")).toContain(
    "expected either `file` or `source`",
  );
  expect(await refused("artifact: installer", "artefact: installer")).toContain("artefact");
});
