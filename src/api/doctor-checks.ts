/** What the doctor concludes from what was found. Pure, so that every conclusion is tested without breaking a host. */
import { HOST_TOOLS, type HostTool, type HostToolName, packagesFor } from "../base/host-tools.ts";
import { formatSize } from "../base/size.ts";
import type { Accelerator } from "../vm/index.ts";

export interface HostCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do, when it is not ok. */
  readonly fix?: string;
  /** Works without, only slower or with less. */
  readonly optional?: boolean;
}

export function checkNode(version: string): HostCheck {
  const ok = Number(version.split(".")[0]) >= 24;
  return { name: "node", ok, detail: version, ...(ok ? {} : { fix: "install Node 24 or newer" }) };
}

export function checkTool(name: HostToolName, found: string | undefined): HostCheck {
  const tool: HostTool = HOST_TOOLS[name];
  if (found !== undefined) return { name, ok: true, detail: found };
  return { name, ok: false, detail: `missing: needed to ${tool.why}`, fix: `install the package ${tool.package}` };
}

export type SandboxProbe =
  | { readonly kind: "works" }
  | { readonly kind: "missing" }
  | { readonly kind: "fails"; readonly reason: string };

export function checkSandbox(probe: SandboxProbe): HostCheck {
  const name = "sandbox";
  if (probe.kind === "works") return { name, ok: true, detail: "bwrap runs a program in its own namespaces" };
  if (probe.kind === "missing")
    return { name, ok: false, detail: "bwrap is missing", fix: "install the package bubblewrap" };
  return {
    name,
    ok: false,
    detail: `bwrap does not work: ${probe.reason}`,
    fix: /uid map|Permission denied|Operation not permitted|No permissions/i.test(probe.reason)
      ? "allow unprivileged user namespaces: sudo sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 (whichever exists)"
      : "run `bwrap --ro-bind / / true` to see more",
  };
}

export function checkKvm({ name, why }: Accelerator): HostCheck {
  if (name === "kvm") return { name: "kvm", ok: true, detail: why };
  const permission = why.includes("permission");
  return {
    ...{ name: "kvm", ok: false, optional: true },
    detail: `${why}; machines run with software emulation, about 10 times slower`,
    ...(permission ? { fix: "sudo usermod -aG kvm $USER, then log in again" } : {}),
  };
}

/** A kernel and a toolroot take about 1 GiB. */
const LITTLE_SPACE = 2 * 1024 ** 3;

export function checkDisk({ dir, free }: { readonly dir: string; readonly free: number }): HostCheck {
  const ok = free >= LITTLE_SPACE;
  const detail = `${formatSize(free)} free for ${dir}`;
  return { name: "disk", ok, detail, ...(ok ? {} : { fix: "free space, or set BOOTWRIGHT_STORE to a larger disk" }) };
}

export interface ClockProbe {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** When this program's own files were written: the clock cannot be before that. */
  readonly installed: number;
}

const TEN_YEARS = 10 * 365 * 24 * 3600 * 1000;

/** A wrong clock makes valid signatures and certificates look expired, or not yet valid. */
export function checkClock({ now, installed }: ClockProbe): HostCheck {
  // A day of grace: file times may come from another time zone's archive.
  const ok = now > installed - 24 * 3600 * 1000 && now < installed + TEN_YEARS;
  const detail = new Date(now).toISOString();
  return { name: "clock", ok, detail, ...(ok ? {} : { fix: "set the clock: timedatectl set-ntp true" }) };
}

export interface HostFacts {
  /** The text of /etc/os-release (os-release(5)). */
  readonly osRelease: string;
  readonly hasApt: boolean;
  readonly isRoot: boolean;
  readonly hasPasswordlessSudo: boolean;
}

export type InstallPlan =
  | { readonly kind: "nothing" }
  /** Only said: no permission, or no apt. */
  | { readonly kind: "say"; readonly command: string }
  | {
      readonly kind: "install";
      readonly command: string;
      readonly packages: readonly string[];
      readonly steps: readonly (readonly string[])[];
    };

export function planInstall(names: readonly HostToolName[], facts: HostFacts): InstallPlan {
  if (names.length === 0) return { kind: "nothing" };
  const packages = packagesFor(names);
  if (!isDebianLike(facts.osRelease) || !facts.hasApt)
    return { kind: "say", command: `install what Debian calls: ${packages.join(" ")}` };
  const sudo = facts.isRoot ? [] : ["sudo"];
  const update = [...sudo, "apt-get", "update"];
  const install = [...sudo, "apt-get", "install", "-y", "--no-install-recommends", ...packages];
  const command = `${update.join(" ")} && ${install.join(" ")}`;
  if (!facts.isRoot && !facts.hasPasswordlessSudo) return { kind: "say", command };
  // Through sudo the environment is lost: the variable goes on its command line.
  const quiet = (argv: readonly string[]) =>
    facts.isRoot ? argv : ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive", ...argv.slice(1)];
  return { kind: "install", command, packages, steps: [quiet(update), quiet(install)] };
}

const isDebianLike = (osRelease: string): boolean => {
  const words = [...osRelease.matchAll(/^(?:ID|ID_LIKE)=(.*)$/gm)].flatMap((match) =>
    match[1]!.replaceAll(/["']/g, "").split(/\s+/),
  );
  return words.includes("debian") || words.includes("ubuntu");
};
