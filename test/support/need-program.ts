/** Independent programs check our writers (design §7.4). A check whose program is missing fails; it never skips. */
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { hostPath } from "../../src/base/process.ts";

/** The program's path. Throws an error that names the Debian package which brings it. */
export function needProgram(program: string, debianPackage: string): string {
  for (const dir of hostPath().split(":")) {
    const path = join(dir, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  throw new Error(`this test needs the program "${program}": apt-get install ${debianPackage}`);
}

/** Throws where the host has no such C header. */
export function needHeader(header: string, debianPackage: string): void {
  if (!existsSync(join("/usr/include", header)))
    throw new Error(`this test needs the header <${header}>: apt-get install ${debianPackage}`);
}
