/** cosign out of a later Debian, through our own Debian source. */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { needProgram } from "./need-program.ts";
import { buildProject, temporaryDir, writeProject } from "./test-session.ts";

export type Cosign = (...args: readonly string[]) => string;

/** Throws with what cosign says when it refuses. */
export async function fetchCosign(): Promise<Cosign> {
  const built = await buildProject(
    writeProject(`
name: cosign
sources: { debian: { suite: trixie } }
trees: { cosign: { from: [{ debian: [cosign], unpack: true }] } }
images: { cosign: { kind: tar, tree: cosign, compress: none } }
`),
  );
  const dir = temporaryDir();
  execFileSync(needProgram("tar", "tar"), ["-xf", built.cosign!, "-C", dir, "--no-same-owner"]);
  const program = path.join(dir, "usr/bin/cosign");
  const env = { HOME: dir, PATH: "/usr/bin:/bin", NO_PROXY: "127.0.0.1", COSIGN_PASSWORD: "", COSIGN_YES: "true" };
  return (...args) => execFileSync(program, args, { cwd: dir, encoding: "utf8", env, stdio: "pipe" });
}
