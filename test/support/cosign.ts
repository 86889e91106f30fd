/** cosign, to sign and to verify on the other side. */
import { execFileSync } from "node:child_process";
import { laterProgram } from "./later-program.ts";
import { temporaryDir } from "./test-session.ts";

export type Cosign = (...args: readonly string[]) => string;

/** Throws with what cosign says when it refuses. */
export async function fetchCosign(): Promise<Cosign> {
  const program = await laterProgram("cosign");
  const dir = temporaryDir();
  const env = { HOME: dir, PATH: "/usr/bin:/bin", NO_PROXY: "127.0.0.1", COSIGN_PASSWORD: "", COSIGN_YES: "true" };
  return (...args) => execFileSync(program, args, { cwd: dir, encoding: "utf8", env, stdio: "pipe" });
}
