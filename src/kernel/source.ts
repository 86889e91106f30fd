/** A kernel out of its source: fragments → config (checked) → compiled, each a stage of its own, so that a mistake in the config costs seconds. */
import { BootwrightError } from "../base/errors.ts";
import { commandStage } from "../stage/command.ts";
import { type BlobInput, blobOf, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { buildProgress } from "./build-progress.ts";
import { buildScript, configScript, configSourceScript, EMBEDDED, WORK } from "./build-script.ts";
import { configLine, type Fragment, mergeFragments, type OptionRequest, parseConfig } from "./fragment.ts";
import { buildEnvironment, type Toolchain } from "./toolchain.ts";
import { requireOptions, verifyConfig } from "./verify-config.ts";

export interface KernelSourceOptions {
  /** "kernel:installer". */
  readonly name: string;
  /** A tar archive of the source, in any compression. */
  readonly source: BlobInput;
  readonly toolroot: TreeInput;
  readonly toolchain: Toolchain;
  readonly patches: readonly { readonly name: string; readonly file: BlobInput }[];
  /** A make target, or a config to start from. */
  readonly base: string | BlobInput;
  /** In order, each with its name for errors. */
  readonly fragments: readonly { readonly name: string; readonly file: BlobInput }[];
  readonly require: readonly string[];
  readonly localversion: string;
  readonly moduleCompression: "none" | "zstd" | "xz";
  readonly ccache: boolean;
  /** Seconds since the epoch. */
  readonly epoch: number;
}

/** The config that the kernel is built with, after all that was asked for is known to have taken. */
export function kernelConfigStage(options: KernelSourceOptions): Stage<ConfigInputs, { config: BlobArtifact }> {
  const { name, require } = options;
  const merged = mergeStage(options);
  const file = typeof options.base !== "string";
  const made = commandStage({
    name: `${name}-kconfig`,
    toolroot: options.toolroot,
    argv: [
      "bash",
      "-c",
      configScript({
        toolchain: options.toolchain,
        base: file ? "file" : (options.base as string),
        patches: options.patches.map((patch) => patch.name),
      }),
    ],
    env: buildEnvironment(options.epoch, options.toolchain),
    inputs: {
      // A patch may touch any file, so then everything is there.
      source: options.patches.length > 0 ? options.source : blobOf(configSource(options), "source"),
      fragment: blobOf(merged, "fragment"),
      ...(file && { base: options.base as BlobInput }),
      ...patchInputs(options),
    },
    outputs: ["config", "symbols"],
    inMemory: WORK,
    caseSensitive: true,
    hostPaths: options.toolchain.hostPaths,
    watch: buildProgress(name),
  });
  return defineStage<ConfigInputs, { config: BlobArtifact }>({
    name: `${name}-config`,
    kind: "kernel-config",
    version: 2,
    inputs: { config: blobOf(made, "config"), symbols: blobOf(made, "symbols"), requests: blobOf(merged, "requests") },
    params: { require },
    outputs: ["config"],
    run: async ({ inputs, store }) => {
      const text = (blob: BlobArtifact): string => store.blobs.readAll(blob).toString();
      const config = parseConfig(text(inputs.config));
      const requests = JSON.parse(text(inputs.requests)) as OptionRequest[];
      verifyConfig({ config, requests, symbols: new Set(text(inputs.symbols).split("\n")) });
      requireOptions(config, require);
      refuseRandomness(config);
      return { config: inputs.config };
    },
  });
}

/** A stage of its own, since a source changes less often than what is asked of it. */
function configSource({ name, source, toolroot, toolchain, epoch }: KernelSourceOptions) {
  return commandStage({
    name: `${name}-kconfig-source`,
    toolroot,
    argv: ["bash", "-c", configSourceScript({ toolchain, epoch })],
    env: buildEnvironment(epoch, toolchain),
    inputs: { source },
    outputs: ["source"],
    inMemory: WORK,
    caseSensitive: true,
    hostPaths: toolchain.hostPaths,
    watch: buildProgress(name),
  });
}

type ConfigInputs = { config: BlobInput; symbols: BlobInput; requests: BlobInput };

/** The whole build as one command. `tree` is what `relinkKernel` and modules from elsewhere are built against. */
export function compileKernel(options: KernelSourceOptions & { readonly config: BlobInput }) {
  const { toolchain, ccache, moduleCompression, epoch } = options;
  const patches = options.patches.map((patch) => patch.name);
  return commandStage({
    name: options.name,
    toolroot: options.toolroot,
    argv: ["bash", "-c", buildScript({ toolchain, patches, moduleCompression, epoch })],
    env: buildEnvironment(epoch, toolchain),
    inputs: { source: options.source, config: options.config, ...patchInputs(options) },
    outputs: ["image", "vmlinux", "systemMap", "release", "modules", "tree"],
    weight: { cpu: 64, memory: 2048 },
    ...(ccache && { caches: ["ccache"] }),
    inMemory: WORK,
    caseSensitive: true,
    hostPaths: options.toolchain.hostPaths,
    watch: buildProgress(options.name),
  });
}

const patchInputs = ({ patches }: KernelSourceOptions): Record<string, BlobInput> =>
  Object.fromEntries(patches.map(({ file }, i) => [`patch-${i}`, file]));

/** Before the fragments: what makes a build depend on nothing but its inputs. A fragment may say otherwise. */
const DEFAULTS = [
  "# CONFIG_LOCALVERSION_AUTO is not set",
  "# CONFIG_MODULE_SIG_ALL is not set",
  'CONFIG_MODULE_SIG_KEY=""',
  'CONFIG_SYSTEM_TRUSTED_KEYS=""',
  // x86: room for a command line, which may be empty. One that is given later is then seen by a few files; this, by all that include asm/setup.h.
  "CONFIG_CMDLINE_BOOL=y",
  // The kernel image is compressed as a whole: twice would only cost time.
  "CONFIG_INITRAMFS_COMPRESSION_NONE=y",
];

function mergeStage({ name, fragments, localversion, toolchain: { rust } }: KernelSourceOptions) {
  const names = fragments.map((fragment) => fragment.name);
  return defineStage<{ fragments: readonly BlobInput[] }, { fragment: BlobArtifact; requests: BlobArtifact }>({
    name: `${name}-fragments`,
    kind: "kernel-fragments",
    version: 2,
    inputs: { fragments: fragments.map(({ file }) => file) },
    params: { names, localversion, ...(rust && { rust }) },
    outputs: ["fragment", "requests"],
    run: async ({ inputs, store, emit }) => {
      const texts = inputs.fragments.map((blob, i): Fragment => {
        return { name: names[i]!, text: store.blobs.readAll(blob).toString() };
      });
      const { requests: asked, overridden } = mergeFragments(texts);
      const requests = rust ? [...asked.filter(({ symbol }) => symbol !== "RUST"), RUST] : asked;
      const embedded = requests.find(({ symbol, value }) => symbol === "INITRAMFS_SOURCE" && value !== '""');
      if (embedded !== undefined)
        throw new BootwrightError(
          "KCONFIG_INVALID",
          `${embedded.fragment}:${embedded.line} sets CONFIG_INITRAMFS_SOURCE, which Bootwright does itself`,
          { hint: 'embed an initramfs with `embed: "kernel"` of an image of kind "efi"' },
        );
      const unasked = requests.find(({ symbol, value }) => symbol === "RUST" && value === "y");
      if (unasked !== undefined && !rust)
        throw new BootwrightError(
          "KCONFIG_INVALID",
          `${unasked.fragment}:${unasked.line} sets CONFIG_RUST, and there is no Rust compiler in this build`,
          { hint: "say `rust: true` in the kernel's config: its toolchain is then checked and added" },
        );
      for (const { before, after } of overridden)
        emit({
          type: "note",
          text: `${after.fragment}:${after.line} overrides ${before.fragment}:${before.line}: CONFIG_${after.symbol} ${before.value} → ${after.value}`,
        });
      const lines = [
        ...DEFAULTS,
        ...requests.map(configLine),
        ...(localversion === "" ? [] : [`CONFIG_LOCALVERSION="${localversion}"`]),
        `CONFIG_INITRAMFS_SOURCE="${EMBEDDED}"`,
      ];
      return {
        fragment: blobArtifact(store.blobs.put(`${lines.join("\n")}\n`)),
        requests: blobArtifact(store.blobs.put(JSON.stringify(requests))),
      };
    },
  });
}

/** What `rust: true` asks for. */
const RUST: OptionRequest = { symbol: "RUST", value: "y", fragment: "rust: true", line: 0 };

/** Options that draw a key or a seed anew for each build. */
function refuseRandomness(config: ReadonlyMap<string, string>): void {
  const why =
    config.get("MODULE_SIG_KEY") === '"certs/signing_key.pem"'
      ? "CONFIG_MODULE_SIG_KEY makes a new signing key with each build"
      : config.has("RANDSTRUCT") || config.has("GCC_PLUGIN_RANDSTRUCT")
        ? "CONFIG_RANDSTRUCT shuffles structures by a new seed with each build"
        : undefined;
  if (why !== undefined)
    throw new BootwrightError("UNSUPPORTED", `${why}, so no two builds would be the same`, {
      hint: "turn it off in a fragment",
    });
}
