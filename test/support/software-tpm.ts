/** A TPM in software, for as long as a test needs it. */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { needProgram } from "./need-program.ts";
import { temporaryDir } from "./test-session.ts";

export interface SoftwareTpm extends AsyncDisposable {
  /** Words for QEMU: the machine's TPM. */
  readonly qemuArgs: readonly string[];
  /** For programs on the host: how the TPM software stack names it. */
  readonly device: string;
}

/** `forMachine`: QEMU starts it; otherwise it is on, and programs talk to it. */
export async function softwareTpm(use: "machine" | "host"): Promise<SoftwareTpm> {
  const dir = temporaryDir("bw-tpm-");
  const data = path.join(dir, "data");
  const control = `${data}.ctrl`;
  const words = ["socket", "--tpm2", "--tpmstate", `dir=${dir}`, "--ctrl", `type=unixio,path=${control}`];
  const host = ["--server", `type=unixio,path=${data}`, "--flags", "not-need-init,startup-clear"];
  const child = spawn(needProgram("swtpm", "swtpm"), use === "host" ? [...words, ...host] : words, { stdio: "ignore" });
  for (let tries = 0; tries < 100 && !fs.existsSync(use === "host" ? data : control); tries++) await sleep(50);
  return {
    qemuArgs: [
      ...["-chardev", `socket,id=tpm,path=${control}`],
      ...["-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0"],
    ],
    device: `swtpm:path=${data}`,
    [Symbol.asyncDispose]: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const closed = new Promise((resolve) => child.once("exit", resolve));
  child.kill();
  await closed;
}
