/** `defineProject`: checks a config's shape and names while it is typed. It does nothing when it runs. */
import type { ProjectInput } from "./schema.ts";

/** Kernel, tree, initramfs and image names come from the maps' keys; without a map the lone thing is "default". */
export function defineProject<
  const K extends string = "default",
  const T extends string = "default",
  const I extends string = "default",
  const M extends string = "default",
  const C extends string = never,
  const S extends string = never,
  const E extends string = never,
>(project: Project<K, T, I, M, C, S, E>): Project<K, T, I, M, C, S, E> {
  return project;
}

export interface Project<
  K extends string,
  T extends string,
  I extends string,
  M extends string,
  C extends string,
  S extends string,
  E extends string = never,
> extends Omit<ProjectInput, Referring> {
  readonly kernel?: Kernel<NoInfer<C>, NoInfer<S>>;
  readonly kernels?: Readonly<Record<K, Kernel<NoInfer<C>, NoInfer<S>>>>;
  readonly tree?: Tree<NoInfer<T>>;
  readonly trees?: Readonly<Record<T, Tree<NoInfer<T>>>>;
  readonly initramfs?: Initramfs<NoInfer<K>, NoInfer<T>> | Readonly<Record<I, Initramfs<NoInfer<K>, NoInfer<T>>>>;
  readonly image?: Image<NoInfer<K>, NoInfer<T>, NoInfer<I>, NoInfer<M>, NoInfer<S>>;
  readonly images?: Readonly<Record<M, Image<NoInfer<K>, NoInfer<T>, NoInfer<I>, NoInfer<M>, NoInfer<S>>>>;
  readonly machine?: Machine<NoInfer<M>>;
  readonly machines?: Readonly<Record<string, Machine<NoInfer<M>>>>;
  readonly keys?: Readonly<Record<S, NonNullable<ProjectInput["keys"]>[string]>>;
  readonly secureBoot?: Replace<
    NonNullable<ProjectInput["secureBoot"]>,
    { pk: NoInfer<S>; kek: NoInfer<S>; db: readonly NoInfer<S>[] }
  >;
  readonly catalogs?: Readonly<Record<C, Catalog<NoInfer<S>>>>;
  readonly publish?: Readonly<Record<string, Publication<NoInfer<K>, NoInfer<C>, NoInfer<M>, NoInfer<S>>>>;
  readonly platform?: Replace<NonNullable<ProjectInput["platform"]>, { key: NoInfer<S> }>;
  readonly environments?: Readonly<
    Record<E, Replace<NonNullable<ProjectInput["environments"]>[string], { after: NoInfer<E> }>>
  >;
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
  | "keys"
  | "secureBoot"
  | "catalogs"
  | "publish"
  | "platform"
  | "environments"
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
type Image<K extends string, T extends string, I extends string, M extends string, S extends string> = Replace<
  WrittenImage,
  {
    kernel: K;
    tree: T;
    initramfs: I | "none";
    contains: Contained<M>;
    esp: Contained<M>;
    menu: Menu<M>;
    boot: M;
    payload: readonly M[];
    sign: S;
    of: M | readonly M[];
    partitions: Readonly<Record<string, Partition<M>>>;
  }
>;
type WrittenMenu = NonNullable<Extract<WrittenImage, { kind: "disk" }>["menu"]>;
type Menu<M extends string> = Omit<WrittenMenu, "default" | "tries"> & {
  default?: M;
  tries?: number | Readonly<Partial<Record<M, number>>>;
};
type Kernel<C extends string, S extends string> = Replace<
  NonNullable<ProjectInput["kernel"]>,
  { catalog: C | "local"; signModules: S }
>;
type Catalog<S extends string> = Replace<NonNullable<ProjectInput["catalogs"]>[string], { sign: S }>;
type WrittenPublication = NonNullable<ProjectInput["publish"]>[string];
type Publication<K extends string, C extends string, M extends string, S extends string> =
  | Replace<Extract<WrittenPublication, { bundle: string }>, { bundle: K; to: `catalog:${C}` }>
  | Replace<Extract<WrittenPublication, { image: string }>, { image: M; sign: S; attest: Attest<S> }>;
type WrittenAttest = NonNullable<Extract<WrittenPublication, { image: string }>["attest"]>;
type Attest<S extends string> = Omit<WrittenAttest, "key"> & { key: S };
type WrittenPartition = NonNullable<Extract<WrittenImage, { kind: "disk" }>["partitions"]>[string];
type Partition<M extends string> = Omit<WrittenPartition, "image"> & { image?: M };
type Machine<M extends string> = Replace<NonNullable<ProjectInput["machine"]>, { image: M }>;

/** A part of the config that a profile changes: null removes, `{append: […]}` adds to a list. */
export type Override<V> = V extends readonly (infer E)[]
  ? readonly E[] | { append: readonly E[] } | null
  : V extends object
    ? { readonly [P in keyof V]?: Override<V[P]> } | null
    : V | null;
