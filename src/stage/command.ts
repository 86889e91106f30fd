/** A stage that is a program run in a toolroot: its key is the very action that a remote worker would execute. */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { ensureDir, readIfExists } from "../base/fs.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { cacheDirectory } from "../store/caches.ts";
import { materializedRoot } from "../store/materialize.ts";
import { requireCaseSensitive } from "./case-sensitive.ts";
import { runInSandbox } from "./sandbox.ts";
import { type BlobInput, defineStage, type Stage, type StageContext, type TreeInput, type Weight } from "./stage.ts";

export interface CommandStageOptions<O extends string> {
  readonly name: string;
  /** A tree with the program and all that it needs. */
  readonly toolroot: TreeInput;
  /** The program finds its inputs under `inputs/NAME` and leaves its outputs under `outputs/NAME`. */
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, BlobInput>>;
  readonly outputs: readonly O[];
  readonly weight?: Weight;
  /** As in SandboxOptions. */
  readonly mounts?: boolean;
  /**
   * Directories that live on between runs, found under `caches/NAME`: what a compiler cache remembers. They are no part
   * of the key, so nothing that the program leaves may depend on what is in them.
   */
  readonly caches?: readonly string[];
  /** The working directory must tell upper case from lower case; asked before anything is put there. */
  readonly caseSensitive?: boolean;
  /** As in SandboxOptions; who they are must be in the toolroot, or the key does not tell. */
  readonly hostPaths?: readonly string[] | undefined;
  /** A directory below the working directory that lies in memory where there is plenty of it (8 GiB free), as unpacked sources may. */
  readonly inMemory?: string;
  /** Called for each line of the program's stderr, to tell how far it is. */
  readonly watch?: LineWatcher;
}

/** Watches one run; `end` is called when the program has ended well. */
export type LineWatcher = (tell: Pick<StageContext, "progress" | "emit">) => {
  line(line: string): void;
  end?(): void;
};

type CommandInputs = { readonly toolroot: TreeInput } & Readonly<Record<string, BlobInput | TreeInput>>;

export function commandStage<O extends string>(
  options: CommandStageOptions<O>,
): Stage<CommandInputs, Record<O, BlobArtifact>> {
  const { argv, env = {}, caches = [] } = options;
  return defineStage<CommandInputs, Record<O, BlobArtifact>>({
    name: options.name,
    kind: "command",
    version: 1,
    inputs: { ...options.inputs, toolroot: options.toolroot } as CommandInputs,
    params: {},
    outputs: options.outputs,
    ...(options.weight && { weight: options.weight }),
    command: { arguments: argv, environment: env, workingDirectory: "" },
    run: async ({ inputs, store, scratch, signal, emit, progress }) => {
      const build = scratch();
      if (options.caseSensitive) requireCaseSensitive(build, { stage: options.name });
      ensureDir(path.join(build, "inputs"));
      ensureDir(path.join(build, "outputs"));
      for (const [name, artifact] of Object.entries(inputs)) {
        if (artifact.kind !== "blob") continue;
        // A copy (shared blocks where the file system can): what runs in there must not reach the store.
        fs.copyFileSync(
          store.blobs.path(artifact.hash),
          path.join(build, "inputs", name),
          fs.constants.COPYFILE_FICLONE,
        );
      }
      const root = materializedRoot(store, inputs.toolroot as Parameters<typeof materializedRoot>[1]);
      const watch = options.watch?.({ progress, emit });
      const onLine = (line: string) => {
        emit({ type: "stage.output", stage: options.name, line });
        watch?.line(line);
      };
      const kept = Object.fromEntries(caches.map((name) => [name, cacheDirectory(store.dir, name)]));
      for (const name of caches) ensureDir(path.join(build, "caches", name));
      const inMemory = options.inMemory !== undefined && hasMemory() ? options.inMemory : undefined;
      if (inMemory !== undefined) ensureDir(path.join(build, inMemory));
      await runInSandbox({
        root,
        build,
        argv,
        env,
        caches: kept,
        ...(inMemory !== undefined && { inMemory }),
        signal,
        emit,
        onLine,
        mounts: options.mounts,
        hostPaths: options.hostPaths,
      });
      watch?.end?.();
      const outputs = options.outputs.map((name) => {
        const file = path.join(build, "outputs", name);
        if (!isOwnFile(file)) throw new BootwrightError("PROGRAM_FAILED", `${argv[0]} left no file outputs/${name}`);
        return [name, blobArtifact(store.blobs.adopt(file))] as const;
      });
      return Object.fromEntries(outputs) as Record<O, BlobArtifact>;
    },
  });
}

/** What could be given away without swapping (proc(5), MemAvailable), which free memory alone does not say. */
function hasMemory(): boolean {
  const available = /^MemAvailable: +(\d+) kB$/m.exec(readIfExists("/proc/meminfo")?.toString() ?? "")?.[1];
  return Number(available ?? 0) * 1024 >= PLENTY;
}

const PLENTY = 8 * 1024 ** 3;

/** The program may have left links, also in place of `outputs` itself: followed here, they would lead to the host's files. */
function isOwnFile(file: string): boolean {
  const outputs = path.dirname(file);
  return (
    fs.lstatSync(outputs, { throwIfNoEntry: false })?.isDirectory() === true &&
    fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() === true
  );
}
