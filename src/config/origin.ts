/** Where values came from, for `bootwright config --show-origin`. */
import type { EnvironmentUse } from "./environment.ts";
import type { Layered, Written } from "./layers.ts";
import { type ConfigPath, isObject, pathKey, valueAt } from "./path.ts";

export type Origin =
  | { readonly kind: "config"; readonly path: ConfigPath }
  | { readonly kind: "profile"; readonly name: string; readonly path: ConfigPath }
  | { readonly kind: "flag" }
  | { readonly kind: "env"; readonly names: readonly string[]; readonly text: string; readonly path: ConfigPath }
  | { readonly kind: "default" };

/** By `pathKey`; only values that were written. Plain data, so that it can be kept beside the config. */
export interface Origins {
  readonly written: Readonly<Record<string, Written>>;
  /** Written values that are no map or list: what is resolved below them came from them. */
  readonly leaves: readonly string[];
  readonly env: Readonly<Record<string, EnvironmentUse>>;
}

export function originsOf(layered: Layered, uses: ReadonlyMap<string, EnvironmentUse>): Origins {
  const leaves = [...layered.written.keys()].filter((key) => {
    const value = valueAt(layered.value, JSON.parse(key) as ConfigPath);
    return !isObject(value) && !Array.isArray(value);
  });
  return { written: Object.fromEntries(layered.written), leaves, env: Object.fromEntries(uses) };
}

/** Defaults that are made from another value: what is secret there is secret here. */
const DERIVED: Readonly<Record<string, ConfigPath>> = { [pathKey(["seed"])]: ["name"] };

/** Of a value in the resolved config. */
export function originAt(origins: Origins, path: ConfigPath): Origin {
  for (let length = path.length; length >= 0; length--) {
    const key = pathKey(path.slice(0, length));
    const use = origins.env[key];
    const entry = origins.written[key];
    const from = entry === undefined ? DERIVED[key] : undefined;
    if (from !== undefined) {
      const source = originAt(origins, from);
      return source.kind === "env" ? source : { kind: "default" };
    }
    if (entry === undefined) continue;
    // Inside something written as a whole (compress: "zstd" became a map); else only its surroundings were written.
    if (length < path.length && !origins.leaves.includes(key)) return { kind: "default" };
    if (use !== undefined) return { kind: "env", names: use.names, text: use.text, path: entry.path };
    if (entry.layer.kind === "flag") return { kind: "flag" };
    return { ...entry.layer, path: entry.path };
  }
  return { kind: "default" };
}
