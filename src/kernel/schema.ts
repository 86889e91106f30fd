/** `kernel`, `kernels`: what kernels there are, and where each comes from. */
import { z } from "zod";
import { hostPath, nameText, releasedArtifact, sha256Text, urlText } from "../base/schema.ts";
import { didYouMean } from "../base/suggest.ts";
import { FRAGMENT_NAMES } from "./fragment-names.ts";

const VERSION = /^\d+\.\d+(\.\d+)?(-rc\d+)?$/;

const packageName = () => z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/, "expected a Debian package name");

const kernelSource = z.union([
  z
    .strictObject({
      version: z
        .string()
        .regex(VERSION, 'expected a kernel version, such as "6.12", "6.12.48" or "6.18-rc3"')
        .describe('Release of kernel.org, such as "6.12.48".'),
      sha256: sha256Text().optional().describe("Digest that the tarball must have. Default: pinned in the lock."),
    })
    .transform((source) => ({ type: "version" as const, ...source })),
  z
    .strictObject({ debian: packageName().describe('Source package, such as "linux-source-6.12".') })
    .transform((source) => ({ type: "debian" as const, ...source })),
  z
    .strictObject({
      url: urlText().describe("Address of a tarball."),
      sha256: sha256Text().optional().describe("Digest that it must have. Default: pinned in the lock."),
    })
    .transform((source) => ({ type: "url" as const, ...source })),
  z
    .strictObject({
      git: z.string().min(1).describe("Repository address or path."),
      ref: z.string().min(1).describe("Branch, tag or commit; pinned to a commit in the lock."),
    })
    .transform((source) => ({ type: "git" as const, ...source })),
  z
    .strictObject({ path: hostPath().describe("Tarball or source directory on the host.") })
    .transform((source) => ({ type: "path" as const, ...source })),
]);

const BASES = ["defconfig", "tinyconfig", "allnoconfig"] as const;

/** What tells a path from a name: a slash, as in the shell. */
const isPath = (text: string): boolean => text.includes("/");

const configBase = z
  .union([
    z.string().superRefine((text, ctx) => {
      if (isPath(text) || (BASES as readonly string[]).includes(text)) return;
      const message = `expected ${BASES.map((name) => `"${name}"`).join(", ")} or a path such as "./kernel.config"${didYouMean(text, BASES)}`;
      ctx.addIssue({ code: "custom", message });
    }),
    z.strictObject({ kernel: nameText().describe("Another kernel of this project whose config to take.") }),
  ])
  .default("defconfig")
  .describe(
    '"defconfig", "tinyconfig", "allnoconfig" (what the fragments ask for, and nothing else), the path of a config file, or { kernel: NAME }: the config of another kernel, such as a packaged one.',
  );

const fragment = z.string().superRefine((text, ctx) => {
  if (isPath(text) || (FRAGMENT_NAMES as readonly string[]).includes(text)) return;
  const known = FRAGMENT_NAMES.map((name) => `"${name}"`).join(", ");
  const near = didYouMean(text, FRAGMENT_NAMES);
  ctx.addIssue({ code: "custom", message: `no fragment is named "${text}"${near || `; there is ${known}`}` });
});

/** SYMBOL or SYMBOL=value, with or without CONFIG_. */
const requirement = z
  .string()
  .regex(/^(CONFIG_)?[A-Za-z0-9_]+(=.+)?$/, 'expected an option such as "SQUASHFS" or "DRM_SIMPLEDRM=y"');

const kernelConfig = z.strictObject({
  base: configBase,
  fragments: z
    .array(fragment)
    .default([])
    .describe("Fragments on top of the base, in order: built-in ones by name, files by path. The last one wins."),
  require: z
    .array(requirement)
    .default([])
    .describe('Options that the kernel must have in the end: "SQUASHFS" (y or m) or "DRM_SIMPLEDRM=y".'),
});

const outOfTree = z.strictObject({
  source: hostPath().describe("Directory or tarball with the module's Kbuild or Makefile."),
  subdir: z.string().min(1).optional().describe("The directory of it that holds the Makefile. Default: the top."),
});

const signModules = nameText()
  .optional()
  .describe(
    "Key of `keys` by which each module is signed, in place of any signature that it has. The kernel must know the key. Where its secret is not here, a signing request is made.",
  );

/** Of every kernel, wherever it comes from. */
const common = {
  arch: z.enum(["x86_64", "aarch64"]).optional().describe("Its architecture. Default: the project's."),
  signModules,
};

export const kernelSchema = z.discriminatedUnion("from", [
  z.strictObject({
    from: z.literal("debian"),
    ...common,
    package: packageName().describe('Kernel package or meta package, such as "linux-image-cloud-amd64".'),
  }),
  z.strictObject({
    from: z.literal("catalog"),
    ...common,
    catalog: nameText()
      .optional()
      .describe(
        'Catalog by name, or "local" for the bundles that were imported or pulled by hand. Default: the only one.',
      ),
    bundle: nameText().describe('Bundle by name, such as "generic-6.12".'),
    version: z.string().min(1).optional().describe("Its version. Default: the newest; the lock pins it."),
    requires: z
      .array(
        z.string().regex(/^(CONFIG_)?[A-Za-z0-9_]+(=\S+)?$/, 'expected an option such as "VIRTIO_BLK" or "EXT4_FS=y"'),
      )
      .default([])
      .describe("Options that its configuration must have; checked before anything is built from it."),
  }),
  z.strictObject({
    from: z.literal("file"),
    ...common,
    image: hostPath().describe("The kernel image: bzImage on x86_64, Image on aarch64."),
    config: hostPath().optional().describe("Its .config, where known."),
    modules: hostPath().optional().describe("Its module directory: the one that holds modules.dep or kernel/."),
  }),
  z.strictObject({
    from: z.literal("release"),
    ...common,
    ...releasedArtifact("The kernel image"),
  }),
  z.strictObject({
    from: z.literal("source"),
    ...common,
    source: kernelSource.describe(
      "The source: { version } of kernel.org, { debian } package, { url }, { git, ref } or { path }.",
    ),
    patches: z.array(hostPath()).default([]).describe("Patches to apply, in order: files, or directories of *.patch."),
    config: kernelConfig.prefault({}).describe("What is built: a base and fragments on top."),
    localversion: z
      .string()
      .regex(/^[A-Za-z0-9._+-]{0,40}$/, "expected letters, digits, ., _, + and -, at most 40")
      .default("")
      .describe('Appended to the release, such as "-truthdb".'),
    modules: z
      .array(outOfTree)
      .default([])
      .describe("Modules from elsewhere, built against this kernel and put beside its own."),
    moduleCompression: z.enum(["none", "zstd", "xz"]).default("none").describe("Compression of module files."),
    compiler: z
      .enum(["gcc", "llvm"])
      .default("gcc")
      .describe("What compiles it: gcc and binutils, or clang and its tools (LLVM=1)."),
    rust: z
      .boolean()
      .default(false)
      .describe("With Rust: the toolchain is checked before anything is configured, and CONFIG_RUST is on."),
    tools: z
      .enum(["pinned", "host"])
      .default("pinned")
      .describe(
        '"host": this host\'s own compiler and tools in place of pinned packages. Their digests are part of the key then, and the kernel says so.',
      ),
    ccache: z.boolean().default(true).describe("Remember compiled files between builds. Never changes the result."),
  }),
]);

export type KernelConfig = z.output<typeof kernelSchema>;
