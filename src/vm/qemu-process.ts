/** The QEMU process itself: started so that it cannot outlive us, its last words kept. */
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { findProgram } from "../base/host-tools.ts";
import { onProcessExit } from "../base/on-exit.ts";
import { killAll, start, stop } from "../base/process.ts";
import { lastLines } from "./ansi.ts";
import { QEMU_ARCHES } from "./qemu-arch.ts";
import type { Arch } from "./spec.ts";

export interface QemuProcess {
  readonly pid: number;
  /** Exit code, or null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** The last lines of stderr. */
  lastWords(): string;
  kill(): Promise<void>;
}

/** Throws HOST_TOOL_MISSING. */
export function startQemu(arch: Arch, args: readonly string[], emit: Emit): QemuProcess {
  const { binary, debianPackage } = QEMU_ARCHES[arch];
  const program = findProgram(binary);
  if (program === undefined)
    throw new BootwrightError("HOST_TOOL_MISSING", `this host lacks ${binary}, which runs ${arch} machines`, {
      hint: `bootwright doctor --fix, or: sudo apt-get install -y --no-install-recommends ${debianPackage}`,
    });
  const child = start([...diesWithParent(), program, ...args], { stdio: ["ignore", "pipe", "pipe"], emit });
  const forget = onProcessExit(killAll);
  let words = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      words = (words + chunk.toString("utf8")).slice(-16 * 1024);
    });
  return {
    pid: child.pid ?? 0,
    exited: exitOf(child).finally(forget),
    lastWords: () => lastLines(words, 10),
    kill: () => stop(child, 0),
  };
}

/** Also when we are killed by a signal that nobody can handle, the kernel kills QEMU (prctl PR_SET_PDEATHSIG). */
function diesWithParent(): readonly string[] {
  // Only util-linux's setpriv has the option; it is essential on Debian, and not at this path where BusyBox is.
  const setpriv = "/usr/bin/setpriv";
  return existsSync(setpriv) && !existsSync("/etc/alpine-release") ? [setpriv, "--pdeathsig", "KILL", "--"] : [];
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once("error", () => resolve(null));
    child.once("close", resolve);
  });
}
