/** A project directory for tests: files by name, removed when the test ends. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { isBootwrightError } from "../base/errors.ts";
import { type LoadConfigOptions, type LoadedConfig, loadConfig } from "./load.ts";

export function projectDir(files: Readonly<Record<string, string>>): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "bootwright config é-"));
  onTestFinished(() => fs.rmSync(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), text);
  }
  return dir;
}

export const loadYaml = (yaml: string, options: Partial<LoadConfigOptions> = {}): Promise<LoadedConfig> =>
  loadConfig({ cwd: projectDir({ "bootwright.yaml": yaml }), ...options });

/** `line:column message` of each mistake; the code first. */
export async function mistakes(work: Promise<unknown>): Promise<readonly string[]> {
  try {
    await work;
  } catch (error) {
    if (!isBootwrightError(error)) throw error;
    const issues = error.issues.length > 0 ? error.issues : [error];
    return [
      error.code,
      ...issues.map(({ location: at, message }) => `${at?.line ?? "?"}:${at?.column ?? "?"} ${message}`),
    ];
  }
  return ["no mistakes"];
}
