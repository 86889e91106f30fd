import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { type BusyboxInitOptions, busyboxInitFiles } from "./busybox-init.ts";
import { rootInitFiles } from "./root-init.ts";

const NONE = { run: [], modules: [], laterModules: [], coldplug: false, console: "none" } as const;
const PARTUUID = fs.readFileSync(path.join(import.meta.dirname, "../../guest/partuuid.sh"), "utf8");
const plain: BusyboxInitOptions = { ...NONE, services: {}, agent: false };
const files = (options: Partial<BusyboxInitOptions> = {}) => busyboxInitFiles({ ...plain, ...options });
const inittab = (options: Partial<BusyboxInitOptions>) => files(options)["/etc/inittab"]!.content;

describe("/etc/inittab", () => {
  it("starts in order: rcS, programs, services, agent, console", () => {
    const text = inittab({
      run: ["/etc/init.d/hello", "/bin/second"],
      services: {
        web: { exec: ["/bin/httpd", "-f"], restart: "always" },
        once: { exec: ["/bin/x"], restart: "never" },
      },
      agent: true,
      console: "shell",
    });
    expect(text).toBe(`::sysinit:/etc/init.d/rcS
::wait:/etc/init.d/hello
::wait:/bin/second
::respawn:/etc/service.d/web
::once:/etc/service.d/once
::once:/usr/lib/bootwright/agent
::respawn:-/bin/cttyhack /bin/sh
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/umount -a -r
::restart:/sbin/init
`);
  });

  it.each([
    ["shell", "::respawn:-/bin/cttyhack /bin/sh\n"],
    ["login", "::respawn:/sbin/getty -L 0 console vt100\n"],
  ] as const)("has a %s on the console, where asked for", (console, line) => {
    expect(inittab({ console })).toContain(line);
    expect(inittab({ console: "none" })).not.toContain("respawn");
  });
});

describe("/etc/init.d/rcS", () => {
  it("mounts what every program expects", () => {
    expect(files()["/etc/init.d/rcS"]).toEqual({
      mode: 0o755,
      content: `#!/bin/sh
# Runs once, before anything else.
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t devtmpfs -o nosuid devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts -o nosuid,noexec,gid=5,mode=620 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
[ -s /etc/hostname ] && hostname -F /etc/hostname
ip link set lo up 2>/dev/null
`,
    });
  });

  it("loads modules in order, and says which one does not load", () => {
    const lines = files({ modules: ["/lib/modules/6.1/b.ko", "/lib/modules/6.1/a.ko"] })[
      "/etc/init.d/rcS"
    ]!.content.split("\n");
    expect(lines.filter((line) => line.startsWith("insmod"))).toEqual([
      "insmod /lib/modules/6.1/b.ko || echo 'bootwright: cannot load /lib/modules/6.1/b.ko' >&2",
      "insmod /lib/modules/6.1/a.ko || echo 'bootwright: cannot load /lib/modules/6.1/a.ko' >&2",
    ]);
  });

  it("modules of the second stage load after the programs, before services", () => {
    const made = files({
      run: ["/bin/net"],
      laterModules: ["/b.ko"],
      services: { s: { exec: ["/s"], restart: "never" } },
    });
    expect(made["/etc/inittab"]!.content).toContain(
      "::wait:/bin/net\n::wait:/etc/init.d/modules\n::once:/etc/service.d/s\n",
    );
    expect(made["/etc/init.d/modules"]).toEqual({
      content: "#!/bin/sh\ninsmod /b.ko || echo 'bootwright: cannot load /b.ko' >&2\n",
      mode: 0o755,
    });
    const { content } = rootInitFiles({
      ...NONE,
      partuuid: PARTUUID,
      run: ["/bin/net"],
      modules: ["/a.ko"],
      laterModules: ["/b.ko"],
    })["/init"]!;
    expect(content.match(/^(insmod \S+|\/bin\/net)/gm)).toEqual(["insmod /a.ko", "/bin/net", "insmod /b.ko"]);
  });

  it("coldplug loads for devices until no new ones appear", () => {
    const { content } = files({ coldplug: true })["/etc/init.d/rcS"]!;
    const loop = content.slice(content.indexOf("seen="));
    // Loading for the first bus makes a second device appear; xargs starts programs, so modprobe is a file here.
    const fake = `dir=$(mktemp -d); trap 'rm -r "$dir"' EXIT; cd "$dir"; echo pci:a >devices
find() { cat devices; }
xargs() { cat >>asked; echo --- >>asked; grep -q usb:b devices || echo usb:b >>devices; }
`;
    expect(sh(`${fake}${loop}cat asked`).stdout).toBe("pci:a\n---\npci:a\nusb:b\n---\n");
  });

  it("is a script that a shell reads", () => {
    const { content } = files({ coldplug: true, modules: ["/a b'c.ko"] })["/etc/init.d/rcS"]!;
    const { status, stderr } = spawnSync(needProgram("busybox", "busybox-static"), ["sh", "-n"], {
      input: content,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
  });
});

const ODD = [
  "/odd/two words",
  "/odd/it's",
  '/odd/"$HOME"',
  "/odd/a;b",
  "/odd/$(touch x)",
  "/odd/#1",
  "/odd/`x`",
  "/odd/a\nb",
];

describe("a program or module with an odd name", () => {
  it.each(ODD)("%j is started by a script of its own", (program) => {
    const made = files({ run: ["/bin/first", program] });
    expect(made["/etc/inittab"]!.content).toContain("\n::wait:/bin/first\n::wait:/etc/run.d/2\n::");
    expect(made).not.toHaveProperty(["/etc/run.d/1"]);
    expect(made["/etc/run.d/2"]!.mode).toBe(0o755);
    expect(started(made["/etc/run.d/2"]!.content, program)).toBe("started\n");
  });

  it.each(ODD)("%j is started by the init of a root file system, too", (program) => {
    const script = rootInitFiles({ ...NONE, partuuid: PARTUUID, run: [program] })["/init"]!.content;
    const lines = script.slice(script.indexOf("tmpfs /run\n") + "tmpfs /run\n".length, script.indexOf("\nroot= type="));
    expect(started(lines, program)).toBe("started\n");
  });

  it.each(ODD)("%j that does not load is named as it is", (module) => {
    const insmods = (content: string) => content.slice(content.indexOf("insmod"));
    const plainInit = insmods(files({ modules: [module] })["/etc/init.d/rcS"]!.content);
    expect(sh(`insmod() { return 1; }\n${plainInit}`).stderr).toBe(`bootwright: cannot load ${module}\n`);
    const init = rootInitFiles({ ...NONE, partuuid: PARTUUID, modules: [module] })["/init"]!.content;
    const line = init.slice(init.indexOf("insmod"), init.indexOf("\nroot= type="));
    expect(sh(`insmod() { return 1; }\nsay() { echo "$1"; }\n${line}`).stdout).toBe(`cannot load ${module}\n`);
  });
});

const sh = (input: string) =>
  spawnSync(needProgram("busybox", "busybox-static"), ["sh"], { input, cwd: "/", encoding: "utf8" });

/** What a script writes when the program that it names, below a directory of the test, says "started". */
function started(script: string, program: string): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "bw-init-"));
  onTestFinished(() => fs.rmSync(dir, { recursive: true }));
  fs.mkdirSync(path.join(dir, "odd"));
  fs.writeFileSync(path.join(dir, program), "#!/bin/sh\necho started\n", { mode: 0o755 });
  const { stdout, stderr } = sh(script.replaceAll("/odd/", `${dir}/odd/`));
  return stdout + stderr;
}

it("a service's script passes every argument on as it is", () => {
  const args = ["plain", "two words", "it's", '"$HOME"', "", "a;b", "*"];
  const exec = ["printf", "<%s>", ...args];
  const script = files({ services: { web: { exec, restart: "always" } } })["/etc/service.d/web"]!;
  expect(script.mode).toBe(0o755);
  const { stdout } = spawnSync(needProgram("busybox", "busybox-static"), ["sh"], {
    input: script.content,
    encoding: "utf8",
  });
  expect(stdout).toBe(args.map((arg) => `<${arg}>`).join(""));
});
