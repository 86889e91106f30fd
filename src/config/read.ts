/** A config file's data as it is written, with a way to find places in it. */
import fs from "node:fs";
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { BootwrightError, ioError, isBootwrightError, messageOf } from "../base/errors.ts";
import { isTypeScript, isYaml } from "./find.ts";
import type { Locator } from "./place.ts";
import { placeOfThrown } from "./thrown.ts";

/** A config is written by a person: more than this is a mistake, and would only use up memory. */
const MAX_BYTES = 4 * 1024 * 1024;

export interface ConfigFile {
  readonly file: string;
  readonly source: string;
  readonly value: unknown;
  readonly files: readonly string[];
  readonly selfContained: boolean;
  /** When reading began, in milliseconds since the epoch. */
  readonly startedAt: number;
  readonly locator: () => Promise<Locator>;
}

/** Throws CONFIG_LOAD_FAILED, with the place where the reader gave up when it is known. */
export async function readConfig(file: string): Promise<ConfigFile> {
  const startedAt = systemClock.now();
  const source = readSource(file);
  if (isYaml(file)) {
    const { parseYaml } = await import("./yaml.ts");
    const { value, locator } = parseYaml(source, file);
    return {
      file,
      source,
      value: value ?? {},
      files: [file],
      selfContained: true,
      startedAt,
      locator: async () => locator,
    };
  }
  const { loadModule } = await import("./module.ts");
  const loaded = await loadModule(file).catch((error: unknown) => {
    throw isBootwrightError(error) ? error : loadFailed(file, source, error);
  });
  if (loaded.value === undefined)
    throw new BootwrightError("CONFIG_LOAD_FAILED", `${file} has no default export`, {
      hint: "write: export default defineProject({ … })",
    });
  const locator = async () => (await import("./literal.ts")).locateInModule(source, isTypeScript(file));
  return { file, source, startedAt, ...loaded, locator };
}

function readSource(file: string): string {
  try {
    if (fs.statSync(file).size > MAX_BYTES)
      throw new BootwrightError("CONFIG_LOAD_FAILED", `${file} is larger than ${MAX_BYTES} bytes`);
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    throw ioError("read", file, error);
  }
}

function loadFailed(file: string, source: string, error: unknown): BootwrightError {
  return new BootwrightError("CONFIG_LOAD_FAILED", `${path.basename(file)}: ${messageOf(error)}`, {
    cause: error,
    location: placeOfThrown(error, fs.realpathSync(file), source),
  });
}
