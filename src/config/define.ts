/** `defineProject`: checks a config's shape and names while it is typed. It does nothing when it runs. */
import type { ProjectInput } from "./schema.ts";

/** Kernel, tree, initramfs and image names come from the maps' keys; without a map the lone thing is "default". */
export function defineProject<
  const K extends string = "default",
  const T extends string = "default",
  const I extends string = "default",
  const M extends string = "default",
>(project: Project<K, T, I, M>): Project<K, T, I, M> {
  return project;
}

export interface Project<K extends string, T extends string, I extends string, M extends string>
  extends Omit<ProjectInput, Referring> {
  readonly kernel?: NonNullable<ProjectInput["kernel"]>;
  readonly kernels?: Readonly<Record<K, NonNullable<ProjectInput["kernels"]>[string]>>;
  readonly tree?: Tree<NoInfer<T>>;
  readonly trees?: Readonly<Record<T, Tree<NoInfer<T>>>>;
  readonly initramfs?: Initramfs<NoInfer<K>, NoInfer<T>> | Readonly<Record<I, Initramfs<NoInfer<K>, NoInfer<T>>>>;
  readonly image?: Image<NoInfer<K>, NoInfer<T>, NoInfer<I>, NoInfer<M>>;
  readonly images?: Readonly<Record<M, Image<NoInfer<K>, NoInfer<T>, NoInfer<I>, NoInfer<M>>>>;
  readonly machine?: Machine<NoInfer<M>>;
  readonly machines?: Readonly<Record<string, Machine<NoInfer<M>>>>;
  readonly profiles?: Readonly<Record<string, Override<ProjectInput>>>;
}

type Referring =
  | "kernel"
  | "kernels"
  | "tree"
  | "trees"
  | "initramfs"
  | "image"
  | "images"
  | "machine"
  | "machines"
  | "profiles";

type WrittenTree = NonNullable<ProjectInput["tree"]>;
type WrittenImage = NonNullable<ProjectInput["image"]>;
type WrittenInitramfs = Extract<NonNullable<ProjectInput["initramfs"]>, { init: string }>;
type WrittenOrigin = NonNullable<WrittenTree["from"]>[number];

type Replace<V, R> = V extends unknown
  ? { [P in keyof V]: P extends keyof R ? R[P] | Extract<V[P], undefined> : V[P] }
  : never;

type Origin<T extends string> = Replace<WrittenOrigin, { tree: T }>;
type Tree<T extends string> = Omit<WrittenTree, "from"> & { from?: readonly Origin<T>[] };
type Initramfs<K extends string, T extends string> = Omit<WrittenInitramfs, "from" | "kernel"> & {
  kernel?: K;
  from?: readonly Origin<T>[];
};
type Contained<M extends string> = readonly (M | { file: string; to: string })[];
type Image<K extends string, T extends string, I extends string, M extends string> = Replace<
  WrittenImage,
  {
    kernel: K;
    tree: T;
    initramfs: I | "none";
    contains: Contained<M>;
    esp: Contained<M>;
    boot: M;
    payload: readonly M[];
  }
>;
type Machine<M extends string> = Replace<NonNullable<ProjectInput["machine"]>, { image: M }>;

/** A part of the config that a profile changes: null removes, `{append: […]}` adds to a list. */
export type Override<V> = V extends readonly (infer E)[]
  ? readonly E[] | { append: readonly E[] } | null
  : V extends object
    ? { readonly [P in keyof V]?: Override<V[P]> } | null
    : V | null;
