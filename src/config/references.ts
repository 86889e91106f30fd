/**
 * Names that the config says must exist. Checked on the data as written, so that a wrong name is reported together with
 * whatever else is wrong; names that are left out are filled in by `resolve.ts`.
 */
import { didYouMean } from "../base/suggest.ts";
import type { ConfigIssue } from "./issue.ts";
import { type ConfigObject, type ConfigPath, isObject, valueAt } from "./path.ts";

/** Stands for "no initramfs". */
export const NONE = "none";

/** Stands for the user's own library of bundles. */
export const LOCAL = "local";

interface Rule {
  /** "*" is any key or list position. */
  readonly at: readonly string[];
  readonly what: string;
  /** Maps whose keys are the names. */
  readonly in: readonly ConfigPath[];
  readonly except?: string;
}

const FILES: readonly ConfigPath[] = [["sources", "files"]];
const SOURCES = [...FILES, ["sources", "git"]];

const RULES: readonly Rule[] = [
  { at: ["kernels", "*", "signModules"], what: "key", in: [["keys"]] },
  { at: ["kernels", "*", "catalog"], what: "catalog", in: [["catalogs"]], except: LOCAL },
  { at: ["kernels", "*", "release"], what: "release source", in: [["sources", "releases"]] },
  { at: ["sources", "files", "*", "release"], what: "release source", in: [["sources", "releases"]] },
  { at: ["images", "*", "source"], what: "file", in: FILES },
  { at: ["images", "*", "contains", "*", "source"], what: "file", in: FILES },
  { at: ["images", "*", "esp", "*", "source"], what: "file", in: FILES },
  { at: ["catalogs", "*", "sign"], what: "key", in: [["keys"]] },
  { at: ["images", "*", "verity", "image"], what: "image", in: [["images"]] },
  { at: ["initramfs", "*", "verify", "*"], what: "image", in: [["images"]] },
  { at: ["initramfs", "*", "verify", "*", "image"], what: "image", in: [["images"]] },
  { at: ["update", "key"], what: "key", in: [["keys"]] },
  { at: ["images", "*", "disk"], what: "image", in: [["images"]] },
  { at: ["images", "*", "sign"], what: "key", in: [["keys"]] },
  { at: ["images", "*", "pcr", "sign"], what: "key", in: [["keys"]] },
  { at: ["secureBoot", "pk"], what: "key", in: [["keys"]] },
  { at: ["secureBoot", "kek"], what: "key", in: [["keys"]] },
  { at: ["secureBoot", "db", "*"], what: "key", in: [["keys"]] },
  { at: ["platform", "key"], what: "key", in: [["keys"]] },
  { at: ["environments", "*", "after"], what: "environment", in: [["environments"]] },
  { at: ["publish", "*", "bundle"], what: "kernel", in: [["kernels"]] },
  { at: ["publish", "*", "image"], what: "image", in: [["images"]] },
  { at: ["publish", "*", "sign"], what: "key", in: [["keys"]] },
  { at: ["publish", "*", "attest", "key"], what: "key", in: [["keys"]] },
  { at: ["initramfs", "*", "kernel"], what: "kernel", in: [["kernels"]] },
  { at: ["images", "*", "kernel"], what: "kernel", in: [["kernels"]] },
  { at: ["images", "*", "initramfs"], what: "initramfs", in: [["initramfs"]], except: NONE },
  { at: ["images", "*", "contains", "*"], what: "image", in: [["images"]] },
  { at: ["images", "*", "esp", "*"], what: "image", in: [["images"]] },
  { at: ["images", "*", "menu", "default"], what: "image", in: [["images"]] },
  { at: ["images", "*", "boot"], what: "image", in: [["images"]] },
  { at: ["images", "*", "of"], what: "image", in: [["images"]] },
  { at: ["images", "*", "of", "*"], what: "image", in: [["images"]] },
  { at: ["images", "*", "payload", "*"], what: "image", in: [["images"]] },
  { at: ["images", "*", "partitions", "*", "image"], what: "image", in: [["images"]] },
  { at: ["images", "*", "tree"], what: "tree", in: [["trees"]] },
  { at: ["images", "*", "tree", "*"], what: "tree", in: [["trees"]] },
  { at: ["machines", "*", "image"], what: "image", in: [["images"]] },
  { at: ["trees", "*", "from", "*", "kernel"], what: "kernel", in: [["kernels"]] },
  { at: ["initramfs", "*", "from", "*", "kernel"], what: "kernel", in: [["kernels"]] },
  { at: ["trees", "*", "from", "*", "tree"], what: "tree", in: [["trees"]] },
  { at: ["initramfs", "*", "from", "*", "tree"], what: "tree", in: [["trees"]] },
  { at: ["trees", "*", "files", "*", "source"], what: "file", in: FILES },
  { at: ["initramfs", "*", "files", "*", "source"], what: "file", in: FILES },
  { at: ["trees", "*", "from", "*", "files", "*", "source"], what: "file", in: FILES },
  { at: ["initramfs", "*", "from", "*", "files", "*", "source"], what: "file", in: FILES },
  { at: ["trees", "*", "from", "*", "source"], what: "source", in: SOURCES },
  { at: ["initramfs", "*", "from", "*", "source"], what: "source", in: SOURCES },
];

export function checkReferences(config: ConfigObject): readonly ConfigIssue[] {
  return RULES.flatMap((rule) => {
    const names = rule.in.flatMap((at) => namesAt(config, at));
    return textsAt(config, rule.at, []).flatMap(({ path, text }): ConfigIssue[] => {
      if (names.includes(text) || text === rule.except) return [];
      return [{ path, message: unknownName(rule.what, text, names), mark: "value" }];
    });
  });
}

export function unknownName(what: string, name: string, names: readonly string[]): string {
  const has = names.length === 0 ? `there is no ${what}` : `there is ${names.map((n) => `"${n}"`).join(", ")}`;
  return `no ${what} is named "${name}"${didYouMean(name, names) || `; ${has}`}`;
}

function namesAt(config: ConfigObject, at: ConfigPath): readonly string[] {
  const map = valueAt(config, at);
  return isObject(map) ? Object.keys(map) : [];
}

function textsAt(
  value: unknown,
  rule: readonly string[],
  path: ConfigPath,
): readonly { path: ConfigPath; text: string }[] {
  const [part, ...rest] = rule;
  if (part === undefined) return typeof value === "string" ? [{ path, text: value }] : [];
  if (Array.isArray(value)) return part === "*" ? value.flatMap((item, i) => textsAt(item, rest, [...path, i])) : [];
  if (!isObject(value)) return [];
  const keys = part === "*" ? Object.keys(value) : Object.hasOwn(value, part) ? [part] : [];
  return keys.flatMap((key) => textsAt(value[key], rest, [...path, key]));
}
