/** A stage that is a program run in a toolroot: its key is the very action that a remote worker would execute. */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { ensureDir } from "../base/fs.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { materializedRoot } from "../store/materialize.ts";
import { runInSandbox } from "./sandbox.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput, type Weight } from "./stage.ts";

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
}

type CommandInputs = { readonly toolroot: TreeInput } & Readonly<Record<string, BlobInput | TreeInput>>;

export function commandStage<O extends string>(
  options: CommandStageOptions<O>,
): Stage<CommandInputs, Record<O, BlobArtifact>> {
  const { argv, env = {} } = options;
  return defineStage<CommandInputs, Record<O, BlobArtifact>>({
    name: options.name,
    kind: "command",
    version: 1,
    inputs: { ...options.inputs, toolroot: options.toolroot } as CommandInputs,
    params: {},
    outputs: options.outputs,
    ...(options.weight && { weight: options.weight }),
    command: { arguments: argv, environment: env, workingDirectory: "" },
    run: async ({ inputs, store, scratch, signal, emit }) => {
      const build = scratch();
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
      const onLine = (line: string) => emit({ type: "stage.output", stage: options.name, line });
      await runInSandbox({ root, build, argv, env, signal, emit, onLine, mounts: options.mounts });
      const outputs = options.outputs.map((name) => {
        const file = path.join(build, "outputs", name);
        if (!isOwnFile(file)) throw new BootwrightError("PROGRAM_FAILED", `${argv[0]} left no file outputs/${name}`);
        return [name, blobArtifact(store.blobs.adopt(file))] as const;
      });
      return Object.fromEntries(outputs) as Record<O, BlobArtifact>;
    },
  });
}

/** The program may have left links, also in place of `outputs` itself: followed here, they would lead to the host's files. */
function isOwnFile(file: string): boolean {
  const outputs = path.dirname(file);
  return (
    fs.lstatSync(outputs, { throwIfNoEntry: false })?.isDirectory() === true &&
    fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() === true
  );
}
