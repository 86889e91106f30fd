/**
 * A stage is a pure function from artifacts and parameters to artifacts. Its key is made of all that it declares here,
 * so what is not declared must not reach its output: no clock, no environment, no host path.
 */
import type { Emit } from "../base/events.ts";
import type { Json } from "../base/json.ts";
import type { Artifact, BlobArtifact, ExtentsArtifact, TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import type { CommandSpec } from "./action.ts";

export interface Stage<I extends Inputs = Inputs, O extends Outputs = Outputs> {
  /** "initramfs:hello": stable, shown to users, unique in a plan; not part of the key. */
  readonly name: string;
  /** What it does: the same kind and version with the same inputs gives the same bytes. */
  readonly kind: string;
  /** Raised when the code changes its output. */
  readonly version: number;
  readonly inputs: I;
  /** All else that affects bytes. */
  readonly params: Json;
  /** The names that `run` returns. */
  readonly outputs: readonly (keyof O & string)[];
  /** What it takes while it runs; default one processor. */
  readonly weight?: Weight;
  /** Set for a stage that is a real command in a toolroot: it replaces `bootwright-stage KIND VERSION` in the key. */
  readonly command?: Omit<CommandSpec, "outputPaths">;
  /**
   * What a source stage's pin says that it will give. When those bytes are in the store, the stage need not run; and
   * since they are its identity, the outputs are known before it runs.
   */
  readonly pinned?: O;
  run(ctx: StageContext<I>): Promise<O>;
}

/** A stage of whatever types. */
export type AnyStage = Omit<Stage, "run" | "outputs" | "pinned"> & {
  readonly outputs: readonly string[];
  readonly pinned?: Outputs;
  run(ctx: StageContext<never>): Promise<Outputs>;
};

export interface Weight {
  /** Processors. */
  readonly cpu?: number;
  /** Connections. */
  readonly network?: number;
  /** MiB. */
  readonly memory?: number;
}

export interface OutputRef<A extends Artifact = Artifact> {
  readonly stage: AnyStage;
  readonly output: string;
  readonly kind: A["kind"];
}

export type Input<A extends Artifact = Artifact> = A | OutputRef<A>;
export type BlobInput = Input<BlobArtifact>;
export type TreeInput = Input<TreeArtifact>;
export type ExtentsInput = Input<ExtentsArtifact>;
export type Inputs = Readonly<Record<string, Input | readonly Input[] | undefined>>;
export type Outputs = Readonly<Record<string, Artifact>>;

type ResolvedInput<T> = T extends readonly (infer E)[] ? readonly ResolvedInput<E>[] : T extends Input<infer A> ? A : T;
export type ResolvedInputs<I> = { readonly [K in keyof I]: ResolvedInput<I[K]> };

export interface StageContext<I = Inputs> {
  readonly inputs: ResolvedInputs<I>;
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly emit: Emit;
  /** Tells how far the stage is; throttled by the reporter. */
  progress(done: number, options?: { total?: number; unit?: "bytes" | "files" | "steps"; what?: string }): void;
  /** An empty directory that is removed when the stage ends, on the store's file system. */
  scratch(): string;
}

export const defineStage = <const I extends Inputs, O extends Outputs>(stage: Stage<I, O>): Stage<I, O> => stage;

type NamesOf<O, A extends Artifact> = { [K in keyof O & string]: O[K] extends A ? K : never }[keyof O & string];

/** Any stage whose outputs are known by type. */
type Giving<O extends Outputs> = { readonly outputs: readonly (keyof O & string)[]; run(ctx: never): Promise<O> };

const refOf =
  <A extends Artifact>(kind: A["kind"]) =>
  <O extends Outputs>(stage: Giving<O>, output: NamesOf<O, A>): OutputRef<A> => ({
    stage: stage as unknown as AnyStage,
    output,
    kind,
  });

/** Refers to a file, a tree, or a file in pieces, that a stage will give; a name that it does not give does not compile. */
export const blobOf = refOf<BlobArtifact>("blob");
export const treeOf = refOf<TreeArtifact>("tree");
export const extentsOf = refOf<ExtentsArtifact>("extents");

export const isRef = (input: Input): input is OutputRef => "stage" in input;
