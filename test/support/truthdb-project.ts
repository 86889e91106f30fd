/** examples/truthdb, changed: whoever leaves its kernel as it is finds it compiled in the run's store. */
import fs from "node:fs";
import path from "node:path";
import { temporaryDir } from "./test-session.ts";

const EXAMPLE = path.join(import.meta.dirname, "../../examples/truthdb");

/** Gives the directory. */
export function truthdbProject(change: (config: string) => string = (config) => config): string {
  const dir = path.join(temporaryDir(), "truthdb");
  const leftOut = new Set(["out", "bootwright.lock", "test-results"]);
  fs.cpSync(EXAMPLE, dir, { recursive: true, filter: (file) => !leftOut.has(path.basename(file)) });
  const config = path.join(dir, "bootwright.config.ts");
  // Where Node runs the test itself, nothing tells it what "bootwright" is.
  const written = fs
    .readFileSync(config, "utf8")
    .replace('import { defineProject } from "bootwright";', "const defineProject = <T>(project: T): T => project;");
  fs.writeFileSync(config, change(withoutCcache(written)));
  return dir;
}

/**
 * What the compiler made is remembered in the store, and a run's store goes with the run: there it only costs, since
 * every file is preprocessed for it.
 */
export const withoutCcache = (config: string): string => config.replace(/localversion: "[^"]*",/, "$& ccache: false,");
