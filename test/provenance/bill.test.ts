/** Bills of materials: packages, kernels and files of an image, in both forms; CycloneDX's own schema is the judge of one. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { documentOf, runCli } from "../support/cli.ts";
import { cycloneDxSchema } from "../support/cyclonedx-schema.ts";
import { LOCAL_CONFIG, localProject } from "../support/local-project.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

async function bills(dir: string, image: string) {
  const result = await runCli(["provenance", image, "--json"], { cwd: dir });
  const { written } = documentOf(result);
  const [slsa, spdx, cyclonedx] = written.map((one: { file: string }) => one.file);
  const read = (file: string) => JSON.parse(fs.readFileSync(file, "utf8"));
  return { slsa: read(slsa), spdx: read(spdx), cyclonedx: read(cyclonedx), file: cyclonedx as string };
}

test("packages of the lock and of the tree's database, the kernel, each file", async () => {
  const dir = writeProject(`
name: bills
version: "2.1"
epoch: 1700000000
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees:
  root:
    from: [{ debian: [busybox-static], unpack: true }]
    files:
      /etc/hello: hello
      /var/lib/dpkg/status: "Package: other\\nStatus: install ok installed\\nVersion: 1:2.0-1\\nArchitecture: all\\n"
initramfs: { init: none, from: [{ tree: root }], modules: [virtio_net] }
images: { uki: { kind: uki, cmdline: quiet } }
`);
  const { slsa, spdx, cyclonedx, file } = await bills(dir, "uki");
  const hash = slsa.subject[0].digest.sha256;
  const names = spdx.packages.map((one: { name: string }) => one.name);
  expect(names).toEqual([
    ...["uki.efi", "busybox-static", expect.stringMatching(/^linux-image-/), "other", "systemd-boot-efi", "linux"],
  ]);
  expect(spdx.packages[0]).toMatchObject({ versionInfo: "2.1", checksums: [{ checksumValue: hash }] });
  expect(spdx.packages[3].externalRefs[0].referenceLocator).toBe("pkg:deb/debian/other@1:2.0-1?arch=all");
  expect(spdx.packages.at(-1).versionInfo).toMatch(/-cloud-amd64$/);
  expect(spdx.packages.at(-1).comment).toMatch(/^configuration: sha256:[0-9a-f]{64}$/);
  expect(spdx.creationInfo.created).toBe("2023-11-14T22:13:20Z");
  const hello = spdx.files.find(({ fileName }: { fileName: string }) => fileName === "./etc/hello");
  // sha1sum, sha256sum.
  expect(hello.checksums).toEqual([
    { algorithm: "SHA1", checksumValue: "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d" },
    { algorithm: "SHA256", checksumValue: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" },
  ]);
  const modules = spdx.files.filter(({ fileName }: { fileName: string }) => /virtio_net\.ko$/.test(fileName));
  expect(modules).toHaveLength(1);
  const ids = [spdx, ...spdx.packages, ...spdx.files].map((one) => one.SPDXID);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { spdxElementId, relatedSpdxElement } of spdx.relationships)
    expect(ids).toEqual(expect.arrayContaining([spdxElementId, relatedSpdxElement]));
  expect(cyclonedx.metadata.component).toMatchObject({ name: "uki.efi", hashes: [{ content: hash }] });
  expect(cyclonedx.components).toHaveLength(spdx.packages.length - 1 + spdx.files.length);
  const wrong = await cycloneDxSchema();
  expect(wrong(file)).toEqual([]);
  const broken = path.join(temporaryDir(), "broken.json");
  fs.writeFileSync(broken, JSON.stringify({ ...cyclonedx, components: [{ type: "nothing" }] }));
  expect(wrong(broken).length).toBeGreaterThan(0);
});

test("two trees are told apart, and tools are no part", async () => {
  const dir = await localProject({
    "bootwright.yaml": `${LOCAL_CONFIG}
  root: { kind: squashfs, tree: root }
  iso: { kind: iso, boot: uki, payload: [root] }
trees: { root: { files: { /etc/motd: hello } } }
`,
  });
  const { spdx, cyclonedx, slsa } = await bills(dir, "iso");
  const files = spdx.files.map((one: { fileName: string }) => one.fileName);
  expect(files).toContain("./root/etc/motd");
  expect(files).toContain("./initramfs-default/etc/motd");
  expect(JSON.stringify(cyclonedx)).not.toContain("xorriso");
  const tools = slsa.predicate.buildDefinition.resolvedDependencies.filter(
    (one: { annotations: { role: string } }) => one.annotations.role === "tool",
  );
  const names = tools.map((one: { name: string }) => one.name);
  expect(names).toEqual(expect.arrayContaining(["xorriso", "squashfs-tools"]));
});
