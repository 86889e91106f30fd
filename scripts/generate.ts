/**
 * Writes everything that is made from the code: the JSON Schema for editors and the reference pages.
 * `--check` writes nothing and exits 10 when a file is stale.
 */
import fs from "node:fs";
import path from "node:path";
import { EXIT } from "../src/base/error-codes.ts";
import { cliPage } from "./generate/cli-page.ts";
import { configPage } from "./generate/config-page.ts";
import { errorsPage } from "./generate/errors-page.ts";
import { jsonSchema } from "./generate/json-schema.ts";

const root = path.join(import.meta.dirname, "..");
const files: Readonly<Record<string, string>> = {
  "schemas/bootwright.schema.json": `${JSON.stringify(jsonSchema("ref"), null, 2)}\n`,
  "docs/reference/config.md": configPage(jsonSchema("inline")),
  "docs/reference/errors.md": errorsPage(),
  "docs/reference/cli.md": await cliPage(),
};

const stale = Object.entries(files).filter(([name, text]) => read(path.join(root, name)) !== text);

if (process.argv.includes("--check")) {
  for (const [name] of stale) process.stderr.write(`${name} is stale: npm run generate\n`);
  process.exitCode = stale.length > 0 ? EXIT.different : EXIT.ok;
} else {
  for (const [name, text] of stale) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text);
    process.stderr.write(`wrote ${name}\n`);
  }
}

function read(file: string): string | undefined {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : undefined;
}
