import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";

export const CONFIG_NAMES = [
  "bootwright.config.ts",
  "bootwright.config.mts",
  "bootwright.config.js",
  "bootwright.config.mjs",
  "bootwright.yaml",
  "bootwright.yml",
] as const;

/** The config's absolute path: the named one, else the nearest upwards from `cwd`. Throws CONFIG_NOT_FOUND. */
export function findConfig(cwd: string, named?: string): string {
  if (named !== undefined) {
    const file = path.resolve(cwd, named);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return inDirectory(file) ?? missing(`no config in ${file}`);
    return stat === undefined ? missing(`no config at ${file}`) : file;
  }
  for (let dir = path.resolve(cwd); ; dir = path.dirname(dir)) {
    const file = inDirectory(dir);
    if (file !== undefined) return file;
    if (dir === path.dirname(dir))
      return missing(`no bootwright.config.ts or bootwright.yaml in ${path.resolve(cwd)} or above`);
  }
}

export const isYaml = (file: string): boolean => /\.ya?ml$/.test(file);

export const isTypeScript = (file: string): boolean => /\.m?ts$/.test(file);

/** Throws USAGE when a directory has two configs: guessing would hide edits to the other. */
function inDirectory(dir: string): string | undefined {
  const names = CONFIG_NAMES.filter((name) => fs.existsSync(path.join(dir, name)));
  if (names.length > 1)
    throw new BootwrightError("USAGE", `${dir} has more than one config: ${names.join(", ")}`, {
      hint: "remove one, or choose with --config",
    });
  return names[0] === undefined ? undefined : path.join(dir, names[0]);
}

function missing(message: string): never {
  throw new BootwrightError("CONFIG_NOT_FOUND", message, { hint: "bootwright init" });
}

/** Is this the directory of a project? */
export const hasConfig = (dir: string): boolean => CONFIG_NAMES.some((name) => fs.existsSync(path.join(dir, name)));
