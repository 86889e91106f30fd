import fs from "node:fs";
import path from "node:path";

/** The package's version: two directories up from here, in a checkout and when published. */
export function packageVersion(): string {
  const text = fs.readFileSync(path.join(import.meta.dirname, "../../package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
