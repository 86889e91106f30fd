/**
 * A kernel by another compiler than the pinned gcc: compiled to the end, with a module, and booted. Only by `npm run test:full`:
 * each compiles a kernel of its own.
 */
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { booted, guestOutput } from "../support/booted.ts";
import { needHeader, needProgram } from "../support/need-program.ts";
import { SMALL_KERNEL } from "../support/small-kernel.ts";
import { writeProject } from "../support/test-session.ts";

const project = (compiler: string): string => `
name: compilers
kernel:
  from: source
  source: { debian: linux-source-6.12 }
  localversion: -other
  config: { base: allnoconfig, fragments: [./small.config], require: [BLK_DEV_LOOP=m] }
  ccache: false
  ${compiler}
initramfs: { init: busybox, modules: [loop] }
image: { kind: kernel, cmdline: console=ttyS0 quiet }
`;

/** With a serial port, and a module. */
const SMALL = `${SMALL_KERNEL}
CONFIG_EXPERT=y
CONFIG_64BIT=y
CONFIG_FILE_LOCKING=y
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y
CONFIG_ACPI=y
CONFIG_BLK_DEV_LOOP=m
`;

describe.runIf(process.env.BOOTWRIGHT_TEST_FULL)("a kernel is compiled whole, boots, and loads its module", () => {
  const compiledBy = (compiler: string, version: RegExp) =>
    booted(writeProject(project(compiler), { "small.config": SMALL }), { firmware: "direct" }, async (machine) => {
      expect(await guestOutput(machine, "cat /proc/version")).toMatch(version);
      expect(await guestOutput(machine, "lsmod")).toMatch(/^loop /m);
    });

  test("by clang and LLVM's binutils", { timeout: 3_600_000 }, () =>
    compiledBy("compiler: llvm", /^Linux version 6\.12\.\d+-other \(bootwright@bootwright\) \(.*clang version .* LLD /),
  );

  test("by the host's own tools, which /proc/version says", { timeout: 3_600_000 }, async () => {
    // Of objtool, which checks every object.
    needHeader("gelf.h", "libelf-dev");
    const [compiler] = execFileSync(needProgram("gcc", "build-essential"), ["--version"], { encoding: "utf8" }).split(
      "\n",
    );
    await compiledBy(
      "tools: host",
      new RegExp(`^Linux version 6\\.12\\.\\d+-other \\(bootwright@host-tools\\) \\(${literal(compiler!)}`),
    );
  });
});

const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
