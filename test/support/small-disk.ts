/**
 * A small disk that fills up, without root: a tmpfs in a mount namespace that a waiting process holds. Programs reach it
 * through `enter`; the test reads and writes it through `outside`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { onTestFinished } from "vitest";
import { needProgram } from "./need-program.ts";
import { temporaryDir } from "./test-session.ts";

export interface SmallDisk {
  /** Its directory, for programs started with `enter`. */
  readonly dir: string;
  /** Words before a program. */
  readonly enter: readonly string[];
  /** The same directory for this process. */
  readonly outside: string;
  /** Leaves so many bytes free. */
  fill(free: number): void;
  /** Takes away what `fill` put there. */
  clear(): void;
}

export async function smallDisk(size: number): Promise<SmallDisk> {
  const dir = temporaryDir();
  const script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && echo ready && exec cat';
  const holder = spawn(
    needProgram("unshare", "util-linux"),
    ["--map-root-user", "--mount", "--", "sh", "-c", script, "sh", String(size), dir],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const ended = once(holder, "exit");
  onTestFinished(async () => {
    holder.stdin.end();
    await ended;
  });
  const [said] = await Promise.race([once(holder.stdout, "data"), ended]);
  if (String(said) !== "ready\n")
    throw new Error("no tmpfs in a user namespace: `bootwright doctor` says what is wrong");
  const outside = path.join(`/proc/${holder.pid}/root`, dir);
  const ballast = path.join(outside, "ballast");
  return {
    dir,
    outside,
    enter: [
      ...[needProgram("nsenter", "util-linux"), "--preserve-credentials", "--user", "--mount"],
      ...["--target", String(holder.pid), "--"],
    ],
    fill: (free) => {
      const { bavail, bsize } = fs.statfsSync(outside);
      fs.writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - free)));
    },
    clear: () => fs.rmSync(ballast, { force: true }),
  };
}
