/** A program that only a later Debian has, through our own Debian source. */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { needProgram } from "./need-program.ts";
import { buildProject, temporaryDir, writeProject } from "./test-session.ts";

/** Gives its path; the package has the program's name. */
export async function laterProgram(name: "cosign" | "oras"): Promise<string> {
  const built = await buildProject(
    writeProject(`
name: later
sources: { debian: { suite: trixie } }
trees: { program: { from: [{ debian: [${name}], unpack: true }] } }
images: { program: { kind: tar, tree: program, compress: none } }
`),
  );
  const dir = temporaryDir();
  execFileSync(needProgram("tar", "tar"), ["-xf", built.program!, "-C", dir, "--no-same-owner"]);
  return path.join(dir, "usr/bin", name);
}
