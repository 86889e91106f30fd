/**
 * A kernel from source, compiled once for this, for examples/truthdb and for verified-root.test.ts: all share the run's store. Here it is linked with
 * another initramfs, and gets a module from elsewhere.
 */
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { buildImages } from "../../src/api/build.ts";
import type { BuildEvent } from "../../src/base/events.ts";
import { readLinuxImage } from "../../src/formats/linux-image.ts";
import { bootFiles, guestOutput } from "../support/booted.ts";
import { sharedStore, withProject } from "../support/test-session.ts";
import { truthdbProject } from "../support/truthdb-project.ts";

const MINUTES = 60_000;

const HELLO = {
  Kbuild: "obj-m := hello-world.o\n",
  "hello-world.c": `#include <linux/module.h>

static int __init hello_init(void)
{
	pr_alert("hello from elsewhere\\n");
	return 0;
}

static void __exit hello_exit(void)
{
}

module_init(hello_init);
module_exit(hello_exit);
MODULE_LICENSE("GPL");
`,
};

/** The example, changed, with the module beside it. */
function project(change?: (config: string) => string): string {
  const dir = truthdbProject(change);
  for (const [name, text] of Object.entries(HELLO)) {
    fs.mkdirSync(path.join(dir, "hello"), { recursive: true });
    fs.writeFileSync(path.join(dir, "hello", name), text);
  }
  return dir;
}

async function build(dir: string, image: string, storeDir = sharedStore()) {
  const ran: string[] = [];
  const emit = (event: BuildEvent) => void (event.type === "stage.start" && ran.push(event.stage));
  const { file, hash } = await withProject(dir, { emit, storeDir }, async (opened) => {
    const { built } = await buildImages(opened, { images: [image] });
    return { file: built[0]!.file, hash: built[0]!.artifact.hash };
  });
  return { file, hash, ran };
}

beforeAll(async () => {
  await build(project(), "efi");
}, 60 * MINUTES);

test(
  "a changed initramfs is linked in; nothing is compiled for it, and the name says that it is another",
  async () => {
    const dir = project();
    const before = await build(dir, "efi");
    const paint = path.join(dir, "installer/usr/bin/paint");
    fs.writeFileSync(paint, fs.readFileSync(paint, "utf8").replace("truthdb: painted", "truthdb: repainted"));
    const after = await build(dir, "efi");
    expect(after.ran).toContain("efi:efi");
    expect(after.ran.filter((name) => /^kernel:/.test(name))).toEqual([]);
    for (const { file } of [before, after])
      expect(path.basename(file)).toMatch(/^vmlinuz-6\.12\.\d+-truthdb-[0-9a-f]{8}\.efi$/);
    expect(after.file).not.toBe(before.file);
    const image = readLinuxImage(fs.readFileSync(after.file));
    expect(image).toMatchObject({ architecture: "amd64", efiStub: true });
    expect(image.version).toContain("(bootwright@bootwright) #1 SMP");
    // The kernel alone is the whole system, without firmware, too; its own command line is the one that it was built with.
    await using machine = await bootFiles({ kind: "direct", kernel: after.file, cmdline: "" });
    await machine.ready;
    await machine.console.waitFor(/truthdb: (re)?painted|truthdb: no framebuffer/);
    expect(await guestOutput(machine, "cat /proc/cmdline")).toMatch(/^console=ttyS0 quiet /);
  },
  20 * MINUTES,
);

test(
  "a module from elsewhere is built against the kernel, indexed, and loads",
  async () => {
    const dir = project((config) =>
      config
        .replace('localversion: "-truthdb",', 'localversion: "-truthdb",\n      modules: [{ source: "./hello" }],')
        .replace('modules: ["loop"]', 'modules: ["hello_world", "loop"]')
        .replace("images: {", 'images: {\n    direct: { kind: "kernel", cmdline: "console=ttyS0 quiet" },'),
    );
    const { file, ran } = await build(dir, "direct");
    expect(ran.filter((name) => name === "kernel:installer")).toEqual([]);
    const [kernel, initrd] = ["vmlinuz", "initrd"].map((name) => path.join(file, name));
    await using machine = await bootFiles({
      kind: "direct",
      kernel: kernel!,
      initrd: initrd!,
      cmdline: "console=ttyS0 quiet",
    });
    await machine.ready;
    expect(await guestOutput(machine, "dmesg")).toContain("hello from elsewhere");
    expect(await guestOutput(machine, "lsmod")).toMatch(/^hello_world /m);
    expect(await guestOutput(machine, "cat /lib/modules/*/modules.dep")).toMatch(/^updates\/hello-world\.ko:$/m);
  },
  20 * MINUTES,
);
