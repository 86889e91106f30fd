/** The config that every later part works with: complete, checked, frozen. Types only. */
import type { ResolvedProject } from "./resolve.ts";

export type DeepReadonly<T> = T extends object ? { readonly [P in keyof T]: DeepReadonly<T[P]> } : T;

export interface ResolvedConfig extends DeepReadonly<ResolvedProject> {
  /** The config file's directory, absolute: relative paths start here. */
  readonly dir: string;
}
