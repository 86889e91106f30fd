/** The stages that install Debian packages, scripts and all, into a root: dpkg in a sandbox, its result a tree. */
import { BootwrightError, isBootwrightError } from "../base/errors.ts";
import { commandStage } from "../stage/command.ts";
import { type BlobInput, blobOf, type Stage, type TreeInput } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import { requireForeignPrograms } from "./foreign-programs.ts";
import { type ImportedArchive, importArchive } from "./import-archive.ts";
import { installOrder } from "./install-order.ts";

/** What the script itself runs outside the root. All but fakeroot are in every Debian root, too. */
export const INSTALLER_PACKAGES = [
  ...["coreutils", "dash", "dpkg", "fakeroot", "findutils", "grep", "mount", "sed", "tar", "util-linux"],
];

export interface DebianRootOptions {
  readonly name: string;
  /** The packages' files, by name. */
  readonly packages: readonly { readonly name: string; readonly file: BlobInput }[];
  /** Debian's name. */
  readonly arch: "amd64" | "arm64";
  /** Holds INSTALLER_PACKAGES, for this machine. */
  readonly toolroot: TreeInput;
  /** fakeroot's library, for the root's architecture. */
  readonly libfakeroot: BlobInput;
  /** INSTALL_ROOT_SCRIPT as a file. */
  readonly script: BlobInput;
  /** Seconds since the epoch: the time of all that the packages did not bring with them. */
  readonly epoch: number;
}

/** Throws PACKAGE_FAILED, UNSUPPORTED when this machine cannot run the root's programs. */
export function debianRoot(options: DebianRootOptions): Stage<{ archive: BlobInput }, ImportedArchive> {
  const { name, packages, arch, toolroot, libfakeroot, script, epoch } = options;
  const order = installOrder({ name: `order:${name}`, packages: packages.map(({ file }) => file) });
  const install = commandStage({
    name: `install:${name}`,
    toolroot,
    argv: ["dash", "inputs/install"],
    env: { SOURCE_DATE_EPOCH: String(epoch), MERGED: MERGED[arch].join(" ") },
    inputs: {
      ...Object.fromEntries(packages.map(({ name: pkg, file }) => [`${pkg}.deb`, file])),
      install: script,
      "libfakeroot.so": libfakeroot,
      order: blobOf(order, "order"),
    },
    outputs: ["root"],
    weight: { memory: 1024 },
    mounts: true,
  });
  const checked: typeof install = {
    ...install,
    run: async (ctx) => {
      requireForeignPrograms(arch);
      return await install.run(ctx).catch((error: unknown) => {
        throw explainFailure(error);
      });
    },
  };
  return importArchive({
    name: `root:${name}`,
    archive: blobOf(checked as Stage<never, { root: BlobArtifact }>, "root"),
    what: name,
  });
}

/** Top-level directories that are links into /usr. */
export const MERGED = { amd64: ["bin", "lib", "lib64", "sbin"], arm64: ["bin", "lib", "sbin"] } as const;

/** "installed foo package post-installation script subprocess returned error exit status 3" (dpkg's own words). */
const SCRIPT =
  /^ ?(?:installed|new|old) (\S+) package (\S+) script subprocess (?:returned error exit status|was killed by signal) ?(.+)$/m;

function explainFailure(error: unknown): unknown {
  if (!isBootwrightError(error) || error.code !== "PROGRAM_FAILED") return error;
  const said = (error.detail ?? "").split("--- what failed\n");
  const detail = (said.at(-1) ?? "").trimEnd();
  const script = SCRIPT.exec(detail);
  const pkg = /^dpkg: error processing (?:package|archive) (?:\/\.bootwright\/inputs\/)?(\S+?)(?:\.deb)? \(/m.exec(
    detail,
  );
  const what =
    script !== null
      ? `the ${script[2]} script of ${script[1]} failed (${script[3]!.trim()})`
      : pkg !== null
        ? `${pkg[1]} could not be installed`
        : "the packages could not be installed";
  const hint = detail.includes("No space left on device")
    ? "a root is installed in memory: it and what dpkg needs beside it must fit into 80 % of it"
    : undefined;
  return new BootwrightError("PACKAGE_FAILED", what, { detail, cause: error, ...(hint !== undefined && { hint }) });
}
