/**
 * Keeps validated configs, because checking one costs more time than a whole no-op build may. Right by construction: an
 * entry counts only when the bytes of every file that took part, the chosen profiles and the schema's version are the
 * same, and one is written only for configs that cannot depend on anything else (see `purity.ts`) and have no value from
 * the environment (it may be secret); where a default stands for a variable, an entry counts while that is not set.
 */
import { hash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { ensureDir, readIfExists, writeFileAtomic } from "../base/fs.ts";
import { type Expanded, isGiven } from "./environment.ts";
import { isTypeScript, isYaml } from "./find.ts";
import type { LoadConfigOptions, LoadedConfig } from "./load.ts";
import type { Origins } from "./origin.ts";
import type { ConfigFile } from "./read.ts";
import type { ResolvedConfig } from "./resolved.ts";

/** Raise when the schema, a default or the form of an entry changes. */
export const CACHE_VERSION = 2;

/** Milliseconds by which a file's time may lag the clock. */
const CLOCK_GRAIN = 20;

interface Entry {
  readonly version: number;
  readonly schema: string;
  readonly files: Readonly<Record<string, string>>;
  /** Variables of the environment that were not set. */
  readonly unset: readonly string[];
  readonly config: ResolvedConfig;
  readonly origins: Origins;
}

export function readCachedConfig(file: string, options: LoadConfigOptions): Omit<LoadedConfig, "file"> | undefined {
  if (options.cacheDir === undefined || options.overrides !== undefined) return undefined;
  try {
    const bytes = readIfExists(entryFile(file, options));
    if (bytes === undefined) return undefined;
    const entry = JSON.parse(bytes.toString("utf8")) as Entry;
    if (entry.version !== CACHE_VERSION || entry.schema !== schemaVersion()) return undefined;
    if (entry.unset.some((name) => isGiven(options.env?.[name]))) return undefined;
    for (const [name, digest] of Object.entries(entry.files)) if (digestOfFile(name) !== digest) return undefined;
    return { config: entry.config, origins: entry.origins, files: Object.keys(entry.files) };
  } catch {
    return undefined; // A damaged entry is only a miss.
  }
}

export async function writeCachedConfig(input: {
  readonly read: ConfigFile;
  readonly options: LoadConfigOptions;
  readonly config: ResolvedConfig;
  readonly origins: Origins;
  readonly environment: Pick<Expanded, "given" | "unset">;
}): Promise<void> {
  const { read, options } = input;
  if (options.cacheDir === undefined || options.overrides !== undefined) return;
  if (input.environment.given.size > 0 || !read.selfContained) return;
  for (const file of read.files) if (!(await isPureFile(file))) return;
  try {
    // Changed about when it was read: the digest may be of other bytes than those that ran.
    if (read.files.some((file) => fs.statSync(file).ctimeMs > read.startedAt - CLOCK_GRAIN)) return;
    const files = Object.fromEntries(read.files.map((file) => [file, digestOfFile(file)]));
    const entry: Entry = {
      version: CACHE_VERSION,
      schema: schemaVersion(),
      files,
      unset: [...input.environment.unset],
      config: input.config,
      origins: input.origins,
    };
    const target = entryFile(read.file, options);
    ensureDir(path.dirname(target));
    writeFileAtomic(target, JSON.stringify(entry));
  } catch {} // Only slower next time.
}

async function isPureFile(file: string): Promise<boolean> {
  if (isYaml(file) || file.endsWith(".json")) return true;
  // Brings a parser with it, and a config that is in the cache needs none.
  const { isPureModule } = await import("./purity.ts");
  return isPureModule(fs.readFileSync(file, "utf8"), isTypeScript(file));
}

const entryFile = (file: string, { cacheDir, profiles = [] }: LoadConfigOptions): string =>
  path.join(cacheDir ?? "", `${hash("sha256", JSON.stringify([file, profiles]), "hex").slice(0, 32)}.json`);

const digestOfFile = (file: string): string => hash("sha256", fs.readFileSync(file), "hex");

/**
 * Of the code that made the entry: an edited schema or default must never meet an old entry. In the bundle, all code lies
 * beside this file.
 */
function schemaVersion(): string {
  const own = import.meta.dirname;
  const domains = ["kernel", "initramfs", "image", "tree", "source", "vm"].map((name) => path.join(own, "..", name));
  const extension = path.extname(import.meta.filename);
  const stats = [
    ...fs
      .readdirSync(own)
      .filter((name) => name.endsWith(extension))
      .map((name) => path.join(own, name)),
    ...domains.map((dir) => path.join(dir, `schema${extension}`)),
    path.join(own, "..", "base", `schema${extension}`),
  ].map((file) => {
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    return `${file}:${stat?.size}:${stat?.mtimeMs}`;
  });
  return hash("sha256", stats.join("\n"), "hex");
}
