/** `npm run lock`: makes package-lock.json anew from package.json, complete for every platform. Run it under Node 24. */
import fs from "node:fs";
import path from "node:path";
import { run } from "../src/base/process.ts";
import { completeLock } from "./lock.ts";
import { ROOT, say } from "./terminal.ts";

const file = path.join(ROOT, "package-lock.json");
await run(["npm", "install", "--package-lock-only", "--ignore-scripts"], {
  cwd: ROOT,
  env: process.env as Record<string, string>, // Proxies, npm's own settings.
  timeout: 300_000,
});
const lock = JSON.parse(fs.readFileSync(file, "utf8"));
const packages = completeLock(lock.packages);
fs.writeFileSync(file, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
say(
  `package-lock.json: ${Object.keys(packages).length - Object.keys(lock.packages).length} packages of other platforms added`,
);
