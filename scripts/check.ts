/** `npm run check`: everything about the code that can be said without running it, in a few seconds. */
import { formatDuration } from "../src/base/size.ts";
import { ARCHITECTURE_CHECK, type CheckResult, CODE_CHECKS, runChecks } from "./checks.ts";

const failed: CheckResult[] = [];
for await (const result of runChecks([...CODE_CHECKS, ARCHITECTURE_CHECK])) {
  process.stdout.write(`${result.ok ? "✓" : "✗"} ${result.name.padEnd(20)} ${formatDuration(result.ms)}\n`);
  if (!result.ok) failed.push(result);
}
for (const { name, output } of failed) process.stdout.write(`\n── ${name} ──\n${output.trim()}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
