/** Runs `main` with the real process, and sees to it that the output is out before the process ends. */
import { setTimeout } from "node:timers/promises";
import { EXIT } from "../base/error-codes.ts";
import { stopOptimizing } from "../base/optimization.ts";
import { main } from "./main.ts";

// A reader that stops reading (`| head`) is no error.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });

// Node warns of its own experiments (node:sqlite, type stripping); users can do nothing with that.
process.removeAllListeners("warning");
process.on("warning", (warning) => {
  if (warning.name !== "ExperimentalWarning") process.stderr.write(`${warning.name}: ${warning.message}\n`);
});

// Work that waits for what nobody does any more would end the process without a word.
process.once("beforeExit", () => {
  process.stderr.write("✗ bug: the work stopped half-way, with nothing left to wait for\n");
  process.exit(EXIT.bug);
});

const exit = await main({
  argv: process.argv.slice(2),
  cwd: process.cwd(),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  stdinIsTTY: process.stdin.isTTY === true,
});
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write("", done))));
await endCompilations();
process.exit(exit);

/**
 * Node waits for ever at its exit when another thread, compiling hot code, waits for this one to collect garbage
 * (https://github.com/nodejs/node/issues/54918; seen once in some hundred runs). So no further compilation starts, and
 * those that run get the time to end.
 */
async function endCompilations(): Promise<void> {
  stopOptimizing();
  await setTimeout(10);
}
