/**
 * Singular forms become plural: `kernel: X` is `kernels: { default: X }`, and an `initramfs` with the keys of one is
 * `initramfs: { default: X }`. What was singular is remembered, so that places in the file can be found again.
 */
import type { ConfigIssue } from "./issue.ts";
import { type ConfigObject, type ConfigPath, isObject } from "./path.ts";

export const SINGULARS = { kernel: "kernels", tree: "trees", image: "images", machine: "machines" } as const;

export const DEFAULT_NAME = "default";

export interface Normalized {
  readonly value: ConfigObject;
  /** Plural keys that were written in the singular. */
  readonly singular: ReadonlySet<string>;
  readonly issues: readonly ConfigIssue[];
}

/** `initramfsKeys`: the keys of a lone initramfs; several initramfs cannot have them as names. */
export function normalize(written: ConfigObject, initramfsKeys: ReadonlySet<string>): Normalized {
  const value: ConfigObject = {};
  const singular = new Set<string>();
  const issues: ConfigIssue[] = [];
  for (const [key, member] of Object.entries(written)) {
    const plural = pluralOf(key);
    if (plural === undefined) value[key] = member;
    else if (plural in written)
      issues.push({ path: [key], message: `write either "${key}" or "${plural}", not both`, mark: "key" });
    else {
      value[plural] = { [DEFAULT_NAME]: member };
      singular.add(plural);
    }
  }
  const initramfs = value.initramfs;
  if (isObject(initramfs) && isLone(initramfs, initramfsKeys)) {
    value.initramfs = { [DEFAULT_NAME]: initramfs };
    singular.add("initramfs");
  }
  return { value, singular, issues };
}

/** The path as the file has it. */
export function writtenPath(path: ConfigPath, singular: ReadonlySet<string>): ConfigPath {
  const [first, second, ...rest] = path;
  if (typeof first !== "string" || second !== DEFAULT_NAME || !singular.has(first)) return path;
  return [singularOf(first), ...rest];
}

const pluralOf = (key: string): string | undefined =>
  Object.hasOwn(SINGULARS, key) ? SINGULARS[key as keyof typeof SINGULARS] : undefined;

const singularOf = (plural: string): string =>
  Object.entries(SINGULARS).find(([, value]) => value === plural)?.[0] ?? plural;

/** Any key that only one initramfs can have decides, so that a forgotten `init` is reported as just that. */
const isLone = (initramfs: ConfigObject, keys: ReadonlySet<string>): boolean =>
  Object.keys(initramfs).some((key) => keys.has(key));
