/** Configs of kernels from source, resolved by the kernel's own Kconfig in the sandbox; nothing is compiled. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { runPlanned } from "../../src/api/build.ts";
import { planPinnedWith } from "../../src/api/project.ts";
import type { BuildEvent } from "../../src/base/events.ts";
import { parseConfig } from "../../src/kernel/fragment.ts";
import { planKernel } from "../../src/plan/kernels.ts";
import type { OutputRef } from "../../src/stage/stage.ts";
import type { BlobArtifact } from "../../src/store/artifact.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, withProject, writeProject } from "../support/test-session.ts";

interface Wish {
  readonly arch?: "x86_64" | "aarch64";
  readonly source?: string;
  readonly config: string;
  readonly more?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly emit?: (event: BuildEvent) => void;
}

/** The finished config of the project's kernel. */
function configOf({
  arch = "x86_64",
  source = "{ debian: linux-source-6.12 }",
  config,
  more = "",
  files = {},
  emit,
}: Wish) {
  const yaml = `
name: configs
arch: ${arch}
kernels:
  k: { from: source, source: ${source}, config: ${config}${more} }
  stock: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: none, kernel: stock }
images: { unused: { kind: cpio } }
`;
  return withProject(writeProject(yaml, files), emit === undefined ? {} : { emit }, async (project) => {
    const { planned } = await planPinnedWith(project, (ctx) => planKernel(ctx, "k").config as OutputRef<BlobArtifact>);
    const run = await runPlanned(project, [planned.stage]);
    return parseConfig(project.store.blobs.readAll(run.output(planned.stage, planned.output)).toString());
  });
}

describe("every built-in fragment takes, on what it is meant for", { timeout: 600_000 }, () => {
  const sampled = [
    ["microvm", "aarch64", "allnoconfig", "6.12"],
    ["efi-installer, virtio, debug", "x86_64", "allnoconfig", "6.1"],
  ] as const;
  const others = [
    ["microvm", "x86_64", "allnoconfig", "6.12"],
    ["microvm", "x86_64", "tinyconfig", "6.1"],
    ["efi-installer", "x86_64", "allnoconfig", "6.12"],
    ["efi-installer", "x86_64", "tinyconfig", "6.12"],
    ["virtio, debug", "x86_64", "allnoconfig", "6.12"],
    ["zero-os", "x86_64", "allnoconfig", "6.12"],
    ["zero-os", "x86_64", "defconfig", "6.12"],
  ] as const;
  test.each(process.env.BOOTWRIGHT_TEST_FULL ? [...sampled, ...others] : sampled)(
    "%s: %s, %s of %s",
    async (fragment, arch, base, version) => {
      const config = `{ base: ${base}, fragments: [${fragment}] }`;
      const result = await configOf({ arch, source: `{ debian: linux-source-${version} }`, config });
      expect(result.get(arch === "x86_64" ? "X86_64" : "ARM64")).toBe("y");
      expect(result.get("INITRAMFS_SOURCE") ?? '"embedded.cpio"').toBe('"embedded.cpio"');
      // Of what network devices bring along by default.
      if (fragment === "microvm") expect(result.has("NET_VENDOR_INTEL")).toBe(base === "tinyconfig");
    },
  );
});

test("what the generic kernel's example asks for takes", { timeout: 600_000 }, async () => {
  const file = path.join(import.meta.dirname, "../../examples/generic-kernel/kernel/generic.config");
  const files = { "generic.config": fs.readFileSync(file, "utf8") };
  const result = await configOf({ config: "{ base: allnoconfig, fragments: [microvm, ./generic.config] }", files });
  for (const option of ["PVH", "VIRTIO_MMIO", "EXT4_FS", "SQUASHFS"]) expect(result.get(option), option).toBe("y");
});

test("a build that fails ends with the command that failed, and what the compiler said", {
  timeout: 600_000,
}, async () => {
  const patch =
    "--- a/kernel/bounds.c\n+++ b/kernel/bounds.c\n@@ -1,2 +1,3 @@\n // SPDX-License-Identifier: GPL-2.0\n+#error spoiled\n /*\n";
  const yaml = `
name: spoiled
kernel: { from: source, source: { debian: linux-source-6.12 }, patches: [./spoil.patch], config: { base: tinyconfig } }
initramfs: { init: none }
images: { spoiled: { kind: kernel } }
`;
  await expect(buildProject(writeProject(yaml, { "spoil.patch": patch }))).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    detail: expect.stringMatching(/once more, with its command: kernel\/bounds\.s\n.*\n +gcc .*#error spoiled/s),
  });
});

describe("a config", { timeout: 600_000 }, () => {
  test("names what did not take, with fragment and line, and what it is instead", async () => {
    const files = { "mine.config": "CONFIG_SQUASHFS=y\n# comment\nCONFIG_TMPFS_XATTR=y\nCONFIG_SQUASHFSS=y\n" };
    await expect(configOf({ config: "{ base: tinyconfig, fragments: [./mine.config] }", files })).rejects.toMatchObject(
      {
        code: "KCONFIG_UNTAKEN",
        detail: [
          "./mine.config:1: CONFIG_SQUASHFS should be y, and is n",
          "./mine.config:3: CONFIG_TMPFS_XATTR should be y, and is n",
          "./mine.config:4: CONFIG_SQUASHFSS should be y, and this kernel has no such option; did you mean CONFIG_SQUASHFS?",
        ].join("\n"),
      },
    );
  });

  test("may start from a packaged kernel's, without its keys", async () => {
    const config = "{ base: { kernel: stock }, require: [EXT4_FS, MODULE_SIG] }";
    const result = await configOf({ source: "{ debian: linux-source-6.1 }", config, more: ", localversion: -mine" });
    expect(result.get("LOCALVERSION")).toBe('"-mine"');
    expect(result.get("SYSTEM_TRUSTED_KEYS")).toBe('""');
    expect(result.get("MODULE_SIG_KEY")).toBe('""');
  });

  test("says which fragment overrides which", async () => {
    const notes: string[] = [];
    const emit = (event: BuildEvent) => void (event.type === "note" && notes.push(event.text));
    const files = {
      "a.config": "CONFIG_PRINTK=y\n",
      "b.config": `# ${Date.now()}: not remembered\n# CONFIG_PRINTK is not set\n`,
    };
    const result = await configOf({ config: "{ base: tinyconfig, fragments: [./a.config, ./b.config] }", files, emit });
    expect(result.has("PRINTK")).toBe(false);
    expect(notes).toContain("./b.config:2 overrides ./a.config:1: CONFIG_PRINTK y → n");
  });

  test("is made by the host's own tools on request", async () => {
    const result = await configOf({ config: "{ base: tinyconfig }", more: ", tools: host, ccache: false" });
    const [version] = execFileSync(needProgram("gcc", "build-essential"), ["--version"], { encoding: "utf8" }).split(
      "\n",
    );
    expect(result.get("CC_VERSION_TEXT")).toBe(`"${version}"`);
  });

  test("has Rust only when the kernel asks for it, and not by a fragment alone", async () => {
    const files = { "rusty.config": "CONFIG_PRINTK=y\nCONFIG_RUST=y\n" };
    await expect(configOf({ config: "{ fragments: [./rusty.config] }", files })).rejects.toMatchObject({
      code: "KCONFIG_INVALID",
      message: "./rusty.config:2 sets CONFIG_RUST, and there is no Rust compiler in this build",
      hint: expect.stringContaining("rust: true"),
    });
  });

  // These bring another compiler: 150 MiB.
  test.runIf(process.env.BOOTWRIGHT_TEST_FULL)("of clang is asked for by LLVM=1", async () => {
    const result = await configOf({ config: "{ base: tinyconfig }", more: ", compiler: llvm" });
    expect(result.get("CC_IS_CLANG")).toBe("y");
    expect(result.get("LD_IS_LLD")).toBe("y");
  });

  test.runIf(process.env.BOOTWRIGHT_TEST_FULL)(
    "with Rust is refused by a toolchain that is too old for it",
    async () => {
      await expect(configOf({ config: "{ base: defconfig }", more: ", rust: true" })).rejects.toMatchObject({
        code: "PROGRAM_FAILED",
        detail: expect.stringMatching(/Rust compiler '\w+' is too old.*this toolchain cannot compile the Rust/s),
      });
    },
  );

  test("follows patches, and a patch that does not apply is named", async () => {
    const patch = (context: string) =>
      `--- a/init/Kconfig\n+++ b/init/Kconfig\n@@ -1,2 +1,6 @@\n ${context}\n+config OURS\n+\tbool "Ours"\n+\tdefault n\n+\n config CC_VERSION_TEXT\n`;
    const good = {
      "patches/1.patch": patch("# SPDX-License-Identifier: GPL-2.0-only"),
      "ours.config": "CONFIG_OURS=y\n",
    };
    const config = "{ base: tinyconfig, fragments: [./ours.config] }";
    const result = await configOf({ config, more: ", patches: [./patches]", files: good });
    expect(result.get("OURS")).toBe("y");
    const bad = { ...good, "patches/2.patch": patch("another first line") };
    await expect(configOf({ config, more: ", patches: [./patches]", files: bad })).rejects.toMatchObject({
      code: "PROGRAM_FAILED",
      detail: expect.stringContaining("the patch ./patches/2.patch does not apply"),
    });
  });
});
