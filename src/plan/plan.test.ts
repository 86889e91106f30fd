import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { tempStore } from "../../test/support/temp-store.ts";
import { silent } from "../base/events.ts";
import { loadConfig } from "../config/load.ts";
import { mistakes, projectDir } from "../config/project.fake.ts";
import { INSTALLER_PACKAGES } from "../source/debian-root.ts";
import type { Lock } from "../source/lock.ts";
import { Resolver } from "../source/resolver.ts";
import { orderStages } from "../stage/graph.ts";
import { runStages } from "../stage/scheduler.ts";
import type { OutputRef } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import { planBundle } from "./bundles.ts";
import { PlanContext } from "./context.ts";
import { planImage } from "./images.ts";

const HELLO = `
name: hello
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox, files: { /etc/motd: hello }, run: [/etc/init.d/hello] }
images: { hello: { kind: uki, cmdline: console=ttyS0 } }
`;

/** A project's plan; `files` are beside its config. */
async function plan(
  yaml: string,
  { lock = {}, files = {}, image }: { lock?: Lock; files?: Record<string, string>; image?: string } = {},
) {
  return planIn(projectDir({ "bootwright.yaml": yaml, ...files }), { lock, image });
}

async function planIn(
  cwd: string,
  { image, ...options }: { lock?: Lock; image?: string | undefined; offline?: boolean } = {},
) {
  const ctx = await contextIn(cwd, options);
  const planned = planImage(ctx, image ?? Object.keys(ctx.config.images)[0]!);
  const stages = orderStages([planned.output.stage]);
  return { ctx, planned, stages, names: stages.map((stage) => stage.name) };
}

async function contextIn(cwd: string, { lock = {}, offline = true }: { lock?: Lock; offline?: boolean } = {}) {
  const { config } = await loadConfig({ cwd });
  const aptSources = () => {
    throw new Error("planning asks no archive");
  };
  return new PlanContext({
    config,
    lock,
    store: undefined,
    offline,
    readFragment: () => "",
    agentScript: "agent",
    updateScript: "update",
    partuuidScript: "partuuid() { :; }",
    aptSources,
    remoteBytes: () => expect.unreachable(),
    ownBundle: () => undefined,
    layerBytes: () => {
      throw new Error("planning reads no layer");
    },
  });
}

const pin = (name: string, hash: string) => ({
  type: "debian" as const,
  packages: [{ name, version: "1", arch: "amd64", path: `pool/${name}.deb`, size: 1, sha256: hash.repeat(64) }],
});
const LOCK: Lock = {
  "debian amd64 kernel linux-image-cloud-amd64": pin("linux-image-6.1", "a"),
  "debian amd64 packages busybox-static": pin("busybox-static", "b"),
  "debian amd64 packages systemd-boot-efi": pin("systemd-boot-efi", "c"),
};

describe("a project whose lock is empty", () => {
  it("is planned whole, and says what is not pinned", async () => {
    const { ctx, names } = await plan(HELLO);
    expect([...ctx.missing.keys()].sort()).toEqual(Object.keys(LOCK));
    expect([...ctx.requests.keys()].sort()).toEqual(Object.keys(LOCK));
    expect(names.filter((name) => name.startsWith("unpinned:"))).toHaveLength(3);
    expect(names.at(-1)).toBe("uki:hello");
  });

  it("is never run that way", async () => {
    const { stages } = await plan(HELLO);
    const unpinned = stages.find((stage) => stage.kind === "unpinned")!;
    await expect(unpinned.run({} as never)).rejects.toThrow("without a pin");
  });
});

describe("a project whose lock is complete", () => {
  it("misses nothing, and knows every byte that it fetches", async () => {
    const { ctx, names, stages } = await plan(HELLO, { lock: LOCK });
    expect(ctx.missing.size).toBe(0);
    expect(names).toEqual(expect.arrayContaining(["fetch:linux-image-6.1", "unpack:busybox-static", "kernel:default"]));
    for (const stage of stages) if (stage.kind === "fetch") expect(stage.pinned).toBeDefined();
  });

  it("with a pin of another type for a request misses that one", async () => {
    const [kernel] = Object.keys(LOCK) as [string];
    const { ctx } = await plan(HELLO, { lock: { ...LOCK, [kernel]: { type: "git", commit: "1".repeat(40) } } });
    expect([...ctx.missing.keys()]).toEqual([kernel]);
  });

  it("uses a package once, however many images take it", async () => {
    const two = HELLO.replace("images: {", "images: { second: { kind: uki }, ");
    const { ctx, names } = await plan(two, { lock: LOCK });
    const both = orderStages([planImage(ctx, "hello").output.stage, planImage(ctx, "second").output.stage]);
    expect(both.filter((stage) => stage.name === "fetch:linux-image-6.1")).toHaveLength(1);
    expect(both.length).toBe(names.length + 1);
  });
});

describe("local files", () => {
  const yaml = `
name: local
kernel: { from: file, image: vmlinuz }
initramfs:
  init: /init
  from: [{ dir: overlay }]
  files: { /init: { file: init.sh, executable: true } }
images: { cpio: { kind: cpio } }
`;
  const files = { vmlinuz: "kernel", "overlay/etc/a": "a", "init.sh": "#!/bin/sh\n" };

  it("that the image needs are gathered, and only these", async () => {
    const { ctx, names } = await plan(yaml, { files });
    expect([...ctx.locals.keys()].sort()).toEqual(["init.sh", "overlay"]);
    expect(names).toEqual(expect.arrayContaining(["local:overlay", "local:init.sh"]));
    expect(ctx.requests.size).toBe(0);
  });

  it("that are not there are told when planning", async () => {
    await expect(plan(yaml, { files: { ...files, "init.sh": "x" } })).resolves.toBeDefined();
    const { "init.sh": _, ...rest } = files;
    await expect(plan(yaml, { files: rest })).rejects.toMatchObject({
      code: "PATH_MISSING",
      message: expect.stringContaining("init.sh"),
    });
  });
});

describe("a git repository", () => {
  const yaml = (url: string) => `
name: cloned
kernel: { from: file, image: vmlinuz }
initramfs: { init: /init, from: [{ git: "${url}", ref: main }] }
images: { cpio: { kind: cpio } }
`;

  it.each(["./vendor/repo", "../PROJECT/vendor/repo", "vendor/repo"])(
    "in the project, as %s, is found from anywhere, and locked as it is written",
    async (written) => {
      const cwd = projectDir({ "vendor/repo/file": "text" });
      const repository = path.join(cwd, "vendor/repo");
      const url = written.replace("PROJECT", path.basename(cwd));
      fs.writeFileSync(path.join(cwd, "bootwright.yaml"), yaml(url));
      const git = (...args: string[]) =>
        execFileSync(needProgram("git", "git"), [
          "-C",
          repository,
          "-c",
          "user.name=t",
          "-c",
          "user.email=t@t",
          ...args,
        ]);
      git("init", "--quiet", "--initial-branch=main");
      git("add", ".");
      git("commit", "--quiet", "--message=one");

      const name = `git ${url} main`;
      const { ctx } = await planIn(cwd);
      expect([...ctx.missing.keys()]).toEqual([name]);
      const store = tempStore();
      const signal = new AbortController().signal;
      const resolver = new Resolver({ store, emit: silent, signal, aptSources: () => [] });
      const entry = await resolver.resolve(ctx.missing.get(name)!);
      expect(entry).toEqual({ type: "git", commit: git("rev-parse", "HEAD").toString().trim() });

      const { stages } = await planIn(cwd, { lock: { [name]: entry }, offline: false });
      const unpack = stages.find((stage) => stage.kind === "import-archive")!;
      const report = await runStages([unpack], { store, emit: silent, signal, project: "p" });
      const tree = store.getTree(report.output(unpack, "tree") as TreeArtifact);
      expect(tree.map((item) => item.path)).toContain("file");
    },
  );

  it.each(["https://host.example/x.git", "git@host.example:x.git", "host.example:x.git", "/srv/x.git"])(
    "elsewhere, as %s, is asked for as it is written",
    async (url) => {
      const { ctx } = await plan(yaml(url));
      expect(ctx.missing.get(`git ${url} main`)).toEqual({ type: "git", url, ref: "main" });
    },
  );
});

it("an image that is not there is told, with those that are", async () => {
  await expect(plan(HELLO, { image: "helo" })).rejects.toMatchObject({
    code: "NAME_UNKNOWN",
    message: expect.stringContaining('did you mean "hello"'),
    hint: "images of this project: hello",
  });
});

it("the plan of the same project in another directory has the same stages, with the same parameters", async () => {
  const parameters = async () =>
    (await plan(HELLO, { lock: LOCK })).stages.map(({ name, kind, version, params }) => ({
      name,
      kind,
      version,
      params,
    }));
  expect(await parameters()).toEqual(await parameters());
});

describe("a kernel for another architecture than the project's", () => {
  const yaml = (more: string) => `
name: vendor
kernels:
  packaged: { from: debian, package: linux-image-cloud-arm64, arch: aarch64 }
  compiled: { from: source, source: { debian: linux-source-6.12 }, arch: aarch64 }
keys: { catalog: { file: ./keys/catalog } }
catalogs: { kernels: { url: ./catalog, keys: [./keys/catalog.pub] } }
publish:
  packaged: { bundle: packaged, to: "catalog:kernels" }
  compiled: { bundle: compiled, to: "catalog:kernels" }
${more}`;

  it("can be published", async () => {
    const ctx = await contextIn(projectDir({ "bootwright.yaml": yaml("") }));
    const packaged = planBundle(ctx, "packaged").bundle.stage;
    expect(packaged.params).toMatchObject({ arch: "aarch64" });
    expect([...ctx.missing.keys()]).toContain("debian arm64 kernel linux-image-cloud-arm64");
    const stages = orderStages([planBundle(ctx, "compiled").bundle.stage]);
    expect(stages.find(({ name }) => name === "kernel:compiled")!.command!.arguments.join(" ")).toContain("ARCH=arm64");
  });

  it("starts no image, and no initramfs is made for it", async () => {
    const more = "initramfs: { init: none, kernel: packaged }\nimages: { uki: { kind: uki, kernel: compiled } }\n";
    expect(await mistakes(loadConfig({ cwd: projectDir({ "bootwright.yaml": yaml(more) }) }))).toEqual([
      "CONFIG_INVALID",
      expect.stringContaining('initramfs.kernel: the kernel "packaged" is for aarch64, the project for x86_64'),
      expect.stringContaining('images.uki.kernel: the kernel "compiled" is for aarch64, the project for x86_64'),
    ]);
  });
});

describe("a Debian root", () => {
  const ROOT = `
name: box
trees: { root: { from: [{ debian: [ssh, bash] }, { debian: [bash, ssh] }] } }
images: { root: { kind: tar, tree: root } }
`;
  const lockFor = (arch: string): Lock => {
    const one = (name: string, version: string, of = arch) => {
      const sha256 = createHash("sha256").update(`${name} ${version} ${of}`).digest("hex");
      return { name, version, arch: of, path: `pool/${name}.deb`, size: 1, sha256 };
    };
    return {
      [`debian ${arch} root required bash ssh`]: { type: "debian", packages: [one("bash", "5"), one("libc6", "2")] },
      [`debian ${arch} packages libfakeroot`]: { type: "debian", packages: [one("libfakeroot", "1")] },
      [`debian ${process.arch === "arm64" ? "arm64" : "amd64"} closure ${[...INSTALLER_PACKAGES].sort().join(" ")}`]: {
        type: "debian",
        packages: [one("libc6", "1", "amd64"), one("libfakeroot", "1", "amd64")],
      },
    };
  };

  it("is installed once, whatever the order of its packages, and asks for nothing that the lock does not say", async () => {
    const { names, ctx } = await plan(ROOT, { lock: lockFor("amd64") });
    expect([...ctx.missing.keys()]).toEqual([]);
    expect(names.filter((name) => name.startsWith("install:"))).toEqual(["install:debian+bash+ssh"]);
  });

  it("tells apart packages that are pinned twice: at two times, or for two architectures", async () => {
    const { names } = await plan(ROOT, { lock: lockFor("amd64") });
    expect(names.filter((name) => name.startsWith("fetch:libc6"))).toHaveLength(2);
    const foreign = await plan(`${ROOT}arch: aarch64\n`, { lock: lockFor("arm64") });
    expect(foreign.names.filter((name) => name.startsWith("fetch:libfakeroot"))).toHaveLength(2);
    expect(new Set(foreign.names).size).toBe(foreign.names.length);
  });

  it("is planned before it is pinned", async () => {
    const { ctx } = await plan(ROOT);
    expect([...ctx.missing.keys()]).toContain("debian amd64 root required bash ssh");
  });
});

describe("a kernel's directory", () => {
  const yaml = (wanted: string) => `
name: parts
kernel: { from: file, image: vmlinuz, config: config }
images: { parts: { kind: kernel, cmdline: quiet, with: [${wanted}] } }
`;
  const files = { vmlinuz: "kernel", config: "CONFIG_X=y\n" };

  it("has what is asked for beside the kernel", async () => {
    const { planned } = await plan(yaml("config, modules"), { files });
    const { inputs } = planned.output.stage;
    expect(Object.keys(inputs).filter((name) => inputs[name] !== undefined)).toEqual(["kernel", "config", "modules"]);
  });

  it("has a vmlinux only of a kernel that is built here", async () => {
    await expect(plan(yaml("vmlinux"), { files })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: "images.parts.with: only a kernel from source has a vmlinux",
    });
  });
});

describe("a kernel from source", () => {
  const yaml = (more: string) => `
name: fragments
kernel: { from: source, source: { path: ./linux.tar }, config: { fragments: [./a.config] }${more} }
images: { kernel: { kind: kernel } }
`;
  const files = { "linux.tar": "source", "p.patch": "--- a/x\n+++ b/x\n" };
  const inputOfConfig = async (more: string, fragment: string) => {
    const { stages } = await plan(yaml(more), { files: { ...files, "a.config": fragment } });
    const { source } = stages.find(({ name }) => name === "kernel:default-kconfig")!.inputs;
    return (source as OutputRef).stage;
  };

  it("is configured out of a part of its source, which no fragment changes", async () => {
    const [one, other] = [await inputOfConfig("", "CONFIG_A=y\n"), await inputOfConfig("", "CONFIG_B=y\n")];
    expect(one.name).toBe("kernel:default-kconfig-source");
    expect(Object.keys(one.inputs).sort()).toEqual(["source", "toolroot"]);
    expect(one.command).toEqual(other.command);
    expect(one.params).toEqual(other.params);
  });

  it("with patches is configured out of all of it: they may touch any file", async () => {
    expect((await inputOfConfig(", patches: [./p.patch]", "CONFIG_A=y\n")).name).toBe("file:./linux.tar");
  });
});
