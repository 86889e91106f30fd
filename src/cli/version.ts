import fs from "node:fs";
import { ownFile } from "../base/own-package.ts";

/** The package's version. */
export function packageVersion(): string {
  const text = fs.readFileSync(ownFile("package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
