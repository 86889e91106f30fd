/** Whether this machine runs programs of another architecture, as the scripts of that architecture's packages need. */
import { BootwrightError } from "../base/errors.ts";
import { readIfExists } from "../base/fs.ts";

type Architecture = "amd64" | "arm64";

const INTERPRETERS = { amd64: "qemu-x86_64", arm64: "qemu-aarch64" } as const;

/**
 * The kernel starts them when binfmt_misc knows an interpreter. It must hold it open (flag F; kernel
 * Documentation/admin-guide/binfmt-misc.rst): within a sandbox there is none. Throws UNSUPPORTED.
 */
export function requireForeignPrograms(
  wanted: Architecture,
  host: { readonly own?: Architecture; readonly directory?: string } = {},
): void {
  const { own = process.arch === "arm64" ? "arm64" : "amd64", directory = "/proc/sys/fs/binfmt_misc" } = host;
  if (wanted === own) return;
  const entry = readIfExists(`${directory}/${INTERPRETERS[wanted]}`)?.toString();
  if (entry !== undefined && /^enabled$/m.test(entry) && /^flags:.*F/m.test(entry)) return;
  const why =
    entry === undefined
      ? `this ${own} machine cannot run ${wanted} programs`
      : `this machine's ${INTERPRETERS[wanted]} is ${/^enabled$/m.test(entry) ? "not held open (flag F) for sandboxes" : "turned off"}`;
  throw new BootwrightError("UNSUPPORTED", `a Debian root for ${wanted} runs its packages' scripts, but ${why}`, {
    hint: "install qemu-user-static and binfmt-support, or take packages with `unpack: true`, which runs no scripts",
  });
}
