/** Questions to a zod schema: which keys may stand at a path, and what each means. */
import type { z } from "zod";
import { type ConfigPath, isObject, valueAt } from "./path.ts";

type Def = { readonly type: string; readonly [key: string]: unknown };

/** The keys that are allowed in the object at `path`, given what is written there (it decides between variants). */
export function keysAt(schema: z.core.$ZodType, path: ConfigPath, root: unknown): readonly string[] {
  const keys = new Set<string>();
  for (const candidate of schemasAt(schema, path, root)) for (const key of objectKeys(candidate)) keys.add(key);
  return [...keys];
}

/** Without optional, default and transform wrappers. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const def = defOf(schema);
  if (def.type === "pipe") return unwrap(def.in as z.core.$ZodType);
  if (["optional", "default", "prefault", "nullable", "readonly"].includes(def.type))
    return unwrap(def.innerType as z.core.$ZodType);
  return schema;
}

/** The first key that each variant of the schema at `path` cannot do without: what tells them apart. */
export function leadingKeysAt(schema: z.core.$ZodType, path: ConfigPath, root: unknown): readonly string[] {
  return schemasAt(schema, path, root).flatMap((candidate) => {
    const def = defOf(candidate);
    return def.type === "object" ? Object.keys(def.shape as object).slice(0, 1) : [];
  });
}

export const defOf = (schema: z.core.$ZodType): Def => schema._zod.def as unknown as Def;

export const objectKeys = (schema: z.core.$ZodType): readonly string[] =>
  variants(schema).flatMap((variant) => {
    const def = defOf(variant);
    return def.type === "object" ? Object.keys(def.shape as object) : [];
  });

export function variants(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  const plain = unwrap(schema);
  const def = defOf(plain);
  return def.type === "union" ? (def.options as z.core.$ZodType[]).flatMap(variants) : [plain];
}

function schemasAt(schema: z.core.$ZodType, path: ConfigPath, root: unknown): readonly z.core.$ZodType[] {
  let candidates = variants(schema);
  path.forEach((part, i) => {
    const here = matching(candidates, valueAt(root, path.slice(0, i)));
    candidates = here.flatMap((candidate) => step(candidate, part));
  });
  return matching(candidates, valueAt(root, path));
}

function step(schema: z.core.$ZodType, part: string | number): readonly z.core.$ZodType[] {
  const def = defOf(schema);
  if (def.type === "object") {
    const member = (def.shape as Record<string, z.core.$ZodType>)[part];
    return member === undefined ? [] : variants(member);
  }
  if (def.type === "record") return variants(def.valueType as z.core.$ZodType);
  if (def.type === "array") return variants(def.element as z.core.$ZodType);
  return [];
}

/** Of a union's variants those whose literal keys (`from`, `kind`) are as written or missing; all, when none is. */
function matching(candidates: readonly z.core.$ZodType[], value: unknown): readonly z.core.$ZodType[] {
  if (!isObject(value) || candidates.length < 2) return candidates;
  const same = candidates.filter((candidate) => {
    const def = defOf(candidate);
    if (def.type !== "object") return false;
    return Object.entries(def.shape as Record<string, z.core.$ZodType>).every(([key, member]) => {
      const inner = defOf(unwrap(member));
      return inner.type !== "literal" || !(key in value) || (inner.values as unknown[]).includes(value[key]);
    });
  });
  return same.length > 0 ? same : candidates;
}
