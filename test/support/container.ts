/** Runs a program in an unpacked image as an engine without root does: its own users, processes and mounts, its env, user and directory. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { needProgram } from "./need-program.ts";

export interface ContainerOptions {
  readonly env: readonly string[];
  readonly workdir: string;
  /** Directories and files of this machine by their path inside, where they replace what is there. */
  readonly mounts: Readonly<Record<string, string>>;
  /** Uid and gid inside. */
  readonly user: number;
}

export interface ContainerResult {
  readonly exit: number | null;
  /** Stdout and stderr as they came. */
  readonly output: string;
}

/** `root` is a directory of whoever runs this. A container's user is mapped a second time, so that it has no rights left. */
export async function runInContainer(
  root: string,
  argv: readonly string[],
  { env, workdir, mounts, user }: ContainerOptions,
): Promise<ContainerResult> {
  fs.mkdirSync(path.join(root, "mnt"), { recursive: true });
  const binds = Object.entries({ "/dev": "/dev", ...mounts }).map(
    ([inside, outside]) => `mount --rbind ${quote(outside)} ${quote(path.join(root, inside))}`,
  );
  const script = [
    "set -e",
    `mount --bind ${quote(root)} ${quote(root)}`,
    `mount -t proc proc ${quote(path.join(root, "proc"))}`,
    `mount -t tmpfs tmpfs ${quote(path.join(root, "tmp"))}`,
    ...binds,
    `cd ${quote(root)}`,
    // Not chroot: whoever lives in one may not make user namespaces (user_namespaces(7)), and the sandbox has one.
    `${needProgram("pivot_root", "util-linux")} . mnt`,
    `/mnt${needProgram("busybox", "busybox-static")} umount -l /mnt`,
    `exec unshare --user --map-user=${user} --map-group=${user} --wd=${quote(workdir)} env -i "$@"`,
  ].join("\n");
  const own = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"];
  const words = [...own, "sh", "-c", script, "sh", ...env, ...argv];
  const child = spawn(needProgram("unshare", "util-linux"), words, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exit) => resolve({ exit, output }));
  });
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
