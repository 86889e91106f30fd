/** What the doctor looks at on the host. Each probe is bounded in time and changes nothing. */
import { existsSync, statfsSync, statSync } from "node:fs";
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { ioError, isBootwrightError } from "../base/errors.ts";
import { run } from "../base/process.ts";
import { type Accelerator, chooseAccelerator, lastLines } from "../vm/index.ts";
import type { ClockProbe, SandboxProbe } from "./doctor-checks.ts";

/** Runs `true` in its own user, mount, pid and network namespaces: that bwrap is installed does not say that it may. */
export async function probeSandbox(bwrap: string | undefined): Promise<SandboxProbe> {
  if (bwrap === undefined) return { kind: "missing" };
  const argv = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
  try {
    await run(argv, { timeout: 10_000 });
    return { kind: "works" };
  } catch (error) {
    if (!isBootwrightError(error)) throw error;
    return { kind: "fails", reason: lastLines(error.detail ?? error.message, 1) };
  }
}

export const probeKvm = (cacheFile: string | undefined): Promise<Accelerator> => chooseAccelerator({ cacheFile });

/** Bytes that this user may still write; of the nearest directory that exists. Throws an I/O error. */
export function probeDisk(dir: string): { readonly dir: string; readonly free: number } {
  let existing = path.resolve(dir);
  while (!existsSync(existing)) existing = path.dirname(existing);
  try {
    const { bavail, bsize } = statfsSync(existing);
    return { dir, free: bavail * bsize };
  } catch (error) {
    throw ioError("measure", existing, error);
  }
}

export const probeClock = (): ClockProbe => ({
  now: systemClock.now(),
  installed: statSync(new URL(import.meta.url)).mtimeMs,
});
