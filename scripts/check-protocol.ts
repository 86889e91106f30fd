/** The generated protocol code is what the .proto files say: generates it again and compares. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { defaultEnvironment, hostPath, run } from "../src/base/process.ts";
import { ROOT, say } from "./terminal.ts";

const KEPT = path.join(ROOT, "src/stage/gen");

const dir = fs.mkdtempSync(path.join(os.tmpdir(), "bootwright-protocol-"));
try {
  const bin = path.join(ROOT, "node_modules/.bin");
  // buf finds its plugin on PATH. Its cache goes with the rest.
  const env = { ...defaultEnvironment(), PATH: `${bin}:${hostPath()}`, HOME: dir };
  await run([process.execPath, path.join(bin, "buf"), "generate", "--output", dir], { cwd: ROOT, env });
  const fresh = path.join(dir, "src/stage/gen");
  const stale = [...new Set([...fs.readdirSync(fresh), ...fs.readdirSync(KEPT)])].filter(
    (name) => read(path.join(fresh, name)) !== read(path.join(KEPT, name)),
  );
  for (const name of stale) say(`src/stage/gen/${name} is stale: npx buf generate`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} finally {
  fs.rmSync(dir, { recursive: true });
}

function read(file: string): string | undefined {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : undefined;
}
