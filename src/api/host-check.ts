/**
 * Is this host able to do what Bootwright asks of it, and if not, what is the one thing to run. Installs what is missing
 * on Debian and Ubuntu, where that is possible without a password; elsewhere the command is only said.
 */
import { BootwrightError } from "../base/errors.ts";
import { type Emit, silent } from "../base/events.ts";
import { readIfExists } from "../base/fs.ts";
import {
  findProgram,
  findTool,
  HOST_TOOLS,
  type HostToolName,
  type HostUse,
  hostToolNames,
} from "../base/host-tools.ts";
import { defaultEnvironment, run } from "../base/process.ts";
import {
  checkClock,
  checkDisk,
  checkKvm,
  checkNode,
  checkSandbox,
  checkTool,
  type HostCheck,
  planInstall,
} from "./doctor-checks.ts";
import { probeClock, probeDisk, probeKvm, probeSandbox } from "./doctor-probes.ts";

export interface HostCheckOptions {
  /** What the host shall be able to do. */
  readonly for: HostUse;
  /** Install what is missing. */
  readonly fix: boolean;
  /** Whose disk space counts; not looked at without it. */
  readonly storeDir?: string;
  /** Remembers whether KVM works. */
  readonly acceleratorCache?: string;
  readonly emit?: Emit;
  readonly signal?: AbortSignal;
}

export interface HostReport {
  readonly checks: readonly HostCheck[];
  /** Nothing that is needed is missing; what is only slower (no KVM) does not count. */
  readonly ok: boolean;
  /** The one command to run for all missing packages, when there are any. */
  readonly command?: string;
  /** Packages that `fix` installed. */
  readonly installed: readonly string[];
}

/** Throws PROGRAM_FAILED when an installation fails, or the signal's reason. */
export async function checkHost(options: HostCheckOptions): Promise<HostReport> {
  const use = options.for;
  const installed = options.fix ? await installMissing(use, options) : [];
  const tools = hostToolNames(use).map((name) => checkTool(name, findTool(name)));
  const checks: readonly HostCheck[] = [
    checkNode(process.versions.node),
    ...tools,
    checkSandbox(await probeSandbox(findTool("bwrap"))),
    ...(use === "build" ? [] : [checkKvm(await probeKvm(options.acceleratorCache))]),
    ...(options.storeDir === undefined ? [] : [checkDisk(probeDisk(options.storeDir))]),
    checkClock(probeClock()),
  ];
  const plan = planInstall(missing(use), await host());
  return {
    checks,
    ok: checks.every((check) => check.ok || check.optional === true),
    ...(plan.kind === "nothing" ? {} : { command: plan.command }),
    installed,
  };
}

/**
 * Makes sure of host tools before anything starts: installs them where that is possible without asking for a password,
 * else throws HOST_TOOL_MISSING with all that is missing and the one command to run.
 */
export async function ensureHostTools(
  use: HostUse,
  options: Pick<HostCheckOptions, "emit" | "signal"> = {},
): Promise<readonly string[]> {
  const installed = await installMissing(use, options);
  const still = missing(use);
  if (still.length === 0) return installed;
  const plan = planInstall(still, await host());
  throw new BootwrightError("HOST_TOOL_MISSING", `this host lacks ${still.join(", ")}`, {
    detail: still.map((name) => `${name}: needed to ${HOST_TOOLS[name].why}`).join("\n"),
    ...(plan.kind === "nothing" ? {} : { hint: plan.command }),
  });
}

async function installMissing(
  use: HostUse,
  { emit = silent, signal }: Pick<HostCheckOptions, "emit" | "signal">,
): Promise<readonly string[]> {
  const names = missing(use);
  const plan = planInstall(names, await host());
  if (plan.kind !== "install") return [];
  for (const name of names)
    emit({ type: "note", text: `installing ${HOST_TOOLS[name].package}: needed to ${HOST_TOOLS[name].why}` });
  for (const argv of plan.steps) {
    emit({ type: "note", text: `running ${argv.join(" ")}` });
    await run(argv, { env: { ...defaultEnvironment(), DEBIAN_FRONTEND: "noninteractive" }, emit, signal });
  }
  return plan.packages;
}

const missing = (use: HostUse): readonly HostToolName[] =>
  hostToolNames(use).filter((name) => findTool(name) === undefined);

async function host(): Promise<Parameters<typeof planInstall>[1]> {
  const isRoot = process.getuid?.() === 0;
  return {
    osRelease: readIfExists("/etc/os-release")?.toString("utf8") ?? "",
    hasApt: findProgram("apt-get") !== undefined,
    isRoot,
    hasPasswordlessSudo: !isRoot && (await sudoWorks()),
  };
}

/** `-n`: never asks, so this cannot hang. */
async function sudoWorks(): Promise<boolean> {
  if (findProgram("sudo") === undefined) return false;
  try {
    return (await run(["sudo", "-n", "true"], { accept: [0, 1], timeout: 5000 })).exit === 0;
  } catch {
    return false;
  }
}
