/** The files that come with this package beside its code: fragments, guest scripts, guides, its manifest. */
import fs from "node:fs";
import path from "node:path";

/** Absolute path of a file or directory of the package, by its path from the package's root. It need not exist. */
export const ownFile = (name: string): string => path.join(packageRoot(), name);

let root: string | undefined;

/** The nearest directory above with a manifest: code lies at another depth in a checkout than in what is published. */
function packageRoot(): string {
  if (root === undefined) {
    let dir = import.meta.dirname;
    while (!fs.existsSync(path.join(dir, "package.json")) && dir !== path.dirname(dir)) dir = path.dirname(dir);
    root = dir;
  }
  return root;
}

/** The package's version. */
export function packageVersion(): string {
  const text = fs.readFileSync(ownFile("package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
