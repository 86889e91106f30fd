/**
 * `tools: "host"`: this host's own programs in place of a pinned toolroot. The tree has no program in it: the sandbox shows the
 * host's /usr there. What it holds is who they are, so that the key of all that is built with them says it, too.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { BootwrightError } from "../base/errors.ts";
import { findProgram } from "../base/host-tools.ts";
import { plainDirectory, TreeBuilder } from "../formats/tree-builder.ts";
import { MOUNT_POINTS, SANDBOX_PATH } from "../stage/sandbox.ts";
import { defineStage, type Stage } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { Toolchain } from "./toolchain.ts";

/** Programs by the Debian package that brings each. What kbuild needs besides (headers of libelf, libssl) it asks for itself. */
const PROGRAMS = {
  ...{ awk: "mawk", bash: "bash", bc: "bc", bison: "bison", cmp: "diffutils", depmod: "kmod", find: "findutils" },
  ...{ flex: "flex", gzip: "gzip", make: "make", openssl: "openssl", patch: "patch", perl: "perl-base", tar: "tar" },
  ...{ xz: "xz-utils", zstd: "zstd" },
} as const;

const COMPILER_PACKAGES: Readonly<Record<string, string>> = {
  as: "binutils",
  ccache: "ccache",
  clang: "clang",
  gcc: "gcc",
  ld: "binutils",
  "ld.lld": "lld",
  "llvm-ar": "llvm",
};

export interface HostTool {
  readonly name: string;
  /** SHA-256 of the program's file. */
  readonly sha256: string;
}

/** Where a host keeps what its programs need. */
const PATHS = ["usr", "etc/alternatives", "etc/ld.so.cache", "etc/ld.so.conf", "etc/ld.so.conf.d"];

/** With merged /usr these are links, else directories. */
const MERGED = ["bin", "lib", "lib32", "lib64", "sbin"];

/** Throws HOST_TOOL_MISSING that names all that is missing, with the one command to run. */
export function findHostTools(
  toolchain: Toolchain,
  { ccache, find = findInSandbox }: { ccache: boolean; find?: (name: string) => string | undefined },
): readonly HostTool[] {
  const names = [...Object.keys(PROGRAMS), ...toolchain.programs, ...(ccache ? ["ccache"] : [])].sort();
  const found = names.map((name) => ({ name, file: find(name) }));
  const missing = found.filter(({ file }) => file === undefined).map(({ name }) => name);
  if (missing.length > 0)
    throw new BootwrightError(
      "HOST_TOOL_MISSING",
      `this host lacks ${missing.join(", ")}, to build a kernel by its own tools`,
      {
        hint: `sudo apt-get install -y --no-install-recommends ${[...new Set(missing.map(packageOf))].sort().join(" ")}, or leave out \`tools: "host"\``,
      },
    );
  const behind = toolchain.programs.includes("gcc")
    ? fs.globSync(CC1).map((file) => ({ name: file.slice(1), file }))
    : [];
  return [...found, ...behind].map(({ name, file }) => ({ name, sha256: digest(file!) }));
}

/** gcc only starts other programs: these are the compilers. */
const CC1 = "/usr/{lib,libexec}/gcc/*/*/cc1";

const findInSandbox = (name: string): string | undefined => findProgram(name, SANDBOX_PATH.split(":"));

const packageOf = (name: string): string =>
  (PROGRAMS as Readonly<Record<string, string>>)[name] ??
  COMPILER_PACKAGES[name] ??
  name.replace(/^(.*)-linux-gnu-gcc$/, (_, cpu: string) => `gcc-${cpu.replaceAll("_", "-")}-linux-gnu`);

/** One line a tool, as it is kept and shown. */
export const describeTools = (tools: readonly HostTool[]): string =>
  tools.map(({ name, sha256 }) => `${name} sha256:${sha256}\n`).join("");

/** Directories and files of the host that the sandbox has to show in the root that `hostToolroot` makes. */
export const hostPaths = (): readonly string[] =>
  [...PATHS, ...MERGED.filter((name) => !isLink(`/${name}`))]
    .map((name) => `/${name}`)
    .filter((name) => fs.existsSync(name));

export function hostToolroot(
  name: string,
  tools: readonly HostTool[],
): Stage<Record<never, never>, { tree: TreeArtifact }> {
  const links = MERGED.filter((one) => isLink(`/${one}`));
  const mounts = hostPaths();
  return defineStage<Record<never, never>, { tree: TreeArtifact }>({
    name,
    kind: "host-toolroot",
    version: 1,
    inputs: {},
    params: { tools: tools.map((tool) => ({ ...tool })), links, mounts: [...mounts] },
    outputs: ["tree"],
    run: async ({ store }) => {
      const builder = new TreeBuilder();
      const options = { origin: name };
      const file = (path: string, text: string) =>
        builder.add({ ...OWNED, type: "file", path, mode: 0o644, content: store.blobs.put(text) }, options);
      for (const link of links)
        builder.add({ ...OWNED, type: "symlink", path: link, mode: 0o777, target: `usr/${link}` }, options);
      for (const dir of MOUNT_POINTS) builder.add(plainDirectory(dir), options);
      for (const mount of mounts) {
        const path = mount.slice(1);
        if (fs.statSync(mount).isDirectory()) builder.add(plainDirectory(path), options);
        else file(path, "");
      }
      file("etc/bootwright-host-tools", describeTools(tools));
      return { tree: store.putTree(builder.build()) };
    },
  });
}

const OWNED = { uid: 0, gid: 0 } as const;

const digest = (file: string): string => createHash("sha256").update(fs.readFileSync(file)).digest("hex");

const isLink = (file: string): boolean => fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
