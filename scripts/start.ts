/** `npm start`: from a fresh clone to a Linux that has booted, with nothing to know. Installs what this host lacks. */
import { spawn } from "node:child_process";
import path from "node:path";
import { ensureHostTools } from "../src/api/host-check.ts";
import { emit, explainError, ROOT, say } from "./terminal.ts";

const PROJECT = "examples/hello";

try {
  await ensureHostTools("boot", { emit });
  for (const words of [["build"], ["boot", "--wait"]]) {
    say(`\n$ cd ${PROJECT} && npx bootwright ${words.join(" ")}`);
    process.exitCode = await bootwright(words);
    if (process.exitCode !== 0) break;
  }
  if (process.exitCode === 0)
    say(`\nNext: edit ${PROJECT}/bootwright.config.ts and run \`npm start\` again, or read README.md.`);
} catch (error) {
  process.exitCode = explainError(error);
}

/** The program itself, as a user starts it, with this terminal. Ctrl-C reaches it, and it ends by itself. */
function bootwright(words: readonly string[]): Promise<number> {
  process.on("SIGINT", () => {});
  const child = spawn(process.execPath, [path.join(ROOT, "bin/bootwright.js"), ...words], {
    cwd: path.join(ROOT, PROJECT),
    stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 130));
  });
}
