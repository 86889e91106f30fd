/** Programs that are not installed for the tests, through our own Debian source. */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { needProgram } from "./need-program.ts";
import { buildProject, temporaryDir, writeProject } from "./test-session.ts";

/** One that only a later Debian has. Gives its path; the package has the program's name. */
export const laterProgram = (name: "cosign" | "oras"): Promise<string> =>
  fetchProgram({ name, from: name, suite: "trixie" });

/** Runs programs of aarch64 whose files lie below the directory after `-L`; those that they start themselves it does not. */
export const aarch64Emulator = (): Promise<string> =>
  fetchProgram({ name: "qemu-aarch64-static", from: "qemu-user-static", suite: "bookworm" });

interface Wish {
  readonly name: string;
  /** Package. */
  readonly from: string;
  readonly suite: string;
}

async function fetchProgram({ name, from, suite }: Wish): Promise<string> {
  const built = await buildProject(
    writeProject(`
name: programs
sources: { debian: { suite: ${suite} } }
trees: { program: { from: [{ debian: [${from}], unpack: true }] } }
images: { program: { kind: tar, tree: program, compress: none } }
`),
  );
  const dir = temporaryDir();
  const words = ["-xf", built.program!, "-C", dir, "--no-same-owner", "--wildcards", `*usr/bin/${name}`];
  execFileSync(needProgram("tar", "tar"), words);
  return path.join(dir, "usr/bin", name);
}
