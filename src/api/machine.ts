/** From an image or machine of the project to a running virtual machine. */
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { requireTools } from "../base/host-tools.ts";
import { didYouMean } from "../base/suggest.ts";
import { isBootable } from "../config/bootable.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import type { PlannedImage } from "../plan/planned-image.ts";
import type { OutputRef } from "../stage/stage.ts";
import type { Artifact, TreeArtifact } from "../store/artifact.ts";
import { assembledFile } from "../store/assembled-file.ts";
import { materializedRoot } from "../store/materialize.ts";
import {
  type BootSource,
  type Disk,
  type Machine,
  type MachineSpec,
  type MediumBus,
  type Network,
  startMachine,
} from "../vm/index.ts";
import { buildImages } from "./build.ts";
import type { Project } from "./project.ts";
import { secureBootVariables } from "./secure-boot.ts";

export type Firmware = "uefi" | "direct" | "microvm";

/** What a command or a test may say beyond the config's `machines`. */
export interface MachineChoice {
  /** An image or a machine of the config; default the only one that boots. */
  readonly name?: string | undefined;
  /** Bytes. */
  readonly memory?: number | undefined;
  readonly cpus?: number | undefined;
  readonly disks?: readonly Disk[];
  readonly network?: "none" | "user" | undefined;
  readonly firmware?: Firmware | undefined;
  /** How the image is attached; UEFI only. Default: what it is made for. */
  readonly bus?: MediumBus | undefined;
  /** Secure Boot with the project's keys; UEFI only. */
  readonly secureBoot?: boolean | undefined;
  /** Replaces the image's own command line; direct boot only. */
  readonly cmdline?: string | undefined;
}

export interface PreparedMachine {
  readonly spec: MachineSpec;
  readonly image: PlannedImage;
  readonly firmware: Firmware;
  /** Digests of all that the machine starts from: the same digests boot the same machine. */
  readonly identity: string;
  /** `showConsole`: what the guest writes is passed on as events, for a person to read. */
  start(options: { signal: AbortSignal; showConsole: boolean }): Promise<Machine>;
}

/** Builds what the machine boots from, and says how it is run. Throws NAME_UNKNOWN, UNSUPPORTED, and what a build throws. */
export async function prepareMachine(project: Project, choice: MachineChoice): Promise<PreparedMachine> {
  const { config, store, session } = project;
  const { image: imageName, machine } = chooseMachine(config, choice.name);
  const asked = choice.firmware ?? machine?.firmware ?? USUAL_FIRMWARE[config.images[imageName]!.kind] ?? "uefi";
  requireMachineTools(config.arch, asked);
  let firmware: Firmware = "uefi";
  const needs = (image: PlannedImage): OutputRef[] => {
    firmware = chooseFirmware(image, { asked: choice.firmware ?? machine?.firmware, arch: config.arch });
    if (firmware === "uefi") return [uefiOutput(image)];
    const { kernel, initrd } = image.direct!;
    return [kernel, ...(initrd === undefined ? [] : [initrd]), ...(image.disks ?? [])].filter(
      (input) => "stage" in input,
    );
  };
  const { built, run } = await buildImages(project, { images: [imageName], extra: needs });
  const { image } = built[0]!;
  const file = (input: OutputRef | Artifact): string => {
    const artifact = resolved(input);
    return artifact.kind === "extents" ? assembledFile(store, artifact) : store.blobs.path(artifact.hash);
  };
  const resolved = (input: OutputRef | Artifact): Artifact =>
    "stage" in input ? run.output(input.stage, input.output) : input;
  const directory = (input: OutputRef<TreeArtifact>): string =>
    materializedRoot(store, resolved(input) as TreeArtifact);
  // Who asks for another firmware than the machine's asks for what goes with it.
  const bus = choice.bus ?? (firmware === "uefi" || choice.firmware === undefined ? machine?.bus : undefined);
  const boot = bootSource({ image, firmware, bus, cmdline: choice.cmdline, file, directory });
  const secure = choice.secureBoot ?? machine?.secureBoot ?? false;
  const spec: MachineSpec = {
    name: choice.name ?? imageName,
    arch: config.arch,
    boot: secure ? secureBoot(boot, { config, store }) : boot,
    memory: choice.memory ?? machine?.memory ?? image.microvm?.memory ?? 512 * 1024 * 1024,
    cpus: choice.cpus ?? machine?.cpus ?? image.microvm?.cpus ?? 1,
    // The image's own are artifacts: what the guest writes to them is lost.
    disks: [
      ...(image.disks ?? []).map((disk): Disk => ({ path: file(disk), readonly: "discard" })),
      ...(machine?.disks ?? []).map((disk) => configuredDisk(disk, config.dir)),
      ...(choice.disks ?? []),
    ],
    network: network(choice.network ?? machine?.network ?? "none", machine?.ports ?? []),
    extraArgs: machine?.args ?? [],
    ready: machine?.ready === undefined ? (image.agent ? "event" : "started") : new RegExp(machine.ready, "m"),
  };
  return {
    spec,
    image,
    firmware,
    identity: JSON.stringify([spec.boot, spec.disks]),
    start: ({ signal, showConsole }) =>
      startMachine(spec, {
        emit: eventsFor(session.emit, { showConsole }),
        signal,
        accelerator: { cacheFile: path.join(store.dir, "accelerator.json") },
      }),
  };
}

/** Who reads the console sees how far the machine is; a line in between would only tear it. */
const eventsFor =
  (emit: Emit, { showConsole }: { showConsole: boolean }): Emit =>
  (event) => {
    if (event.type !== (showConsole ? "machine.phase" : "machine.console")) emit(event);
  };

/** Before anything is built. */
function requireMachineTools(arch: ResolvedConfig["arch"], firmware: Firmware): void {
  const [monitor, uefi] =
    arch === "aarch64"
      ? (["qemu-system-aarch64", "qemu-efi-aarch64"] as const)
      : (["qemu-system-x86_64", "ovmf"] as const);
  requireTools(firmware === "uefi" ? [monitor, uefi] : [monitor]);
}

/** An image's name, or a machine's, or nothing when there is only one to choose. */
function chooseMachine(
  config: ResolvedConfig,
  name: string | undefined,
): { image: string; machine?: ResolvedConfig["machines"][string] } {
  const machines = Object.entries(config.machines);
  const bootable = Object.keys(config.images).filter((image) => isBootable(config.images[image]!.kind));
  if (name === undefined) {
    if (machines.length === 1) return { image: machines[0]![1].image, machine: machines[0]![1] };
    if (bootable.length === 1) return { image: bootable[0]! };
    throw new BootwrightError(
      "NAME_UNKNOWN",
      bootable.length === 0 ? "the config has no image that boots" : "say which image to boot",
      { hint: `images: ${bootable.join(", ")}` },
    );
  }
  const machine = config.machines[name];
  if (machine !== undefined) return { image: machine.image, machine };
  if (config.images[name] !== undefined) return { image: name };
  const names = [...Object.keys(config.machines), ...Object.keys(config.images)];
  throw new BootwrightError("NAME_UNKNOWN", `there is no image or machine "${name}"${didYouMean(name, names)}`, {
    hint: `there are: ${names.join(", ")}`,
  });
}

function chooseFirmware(
  image: PlannedImage,
  { asked, arch }: { asked: Firmware | undefined; arch: ResolvedConfig["arch"] },
): Firmware {
  // QEMU's microvm machine is x86_64 only.
  const bare = image.microvm !== undefined && arch === "x86_64" ? "microvm" : "direct";
  const hasUefi = image.esp !== undefined || image.network !== undefined;
  const firmware = asked ?? (hasUefi ? "uefi" : bare);
  if (firmware === "uefi" ? hasUefi : image.direct !== undefined) return firmware;
  if (!hasUefi && image.direct === undefined)
    throw new BootwrightError("UNSUPPORTED", `image ${image.name} is of kind ${image.kind}: nothing starts from that`, {
      hint: "boot an image of kind uki, efi, esp, disk, iso, pxe, microvm or kernel",
    });
  const other = hasUefi ? "uefi" : "direct";
  throw new BootwrightError(
    "UNSUPPORTED",
    `image ${image.name} (${image.kind}) cannot be booted with --firmware=${firmware}`,
    { hint: `use --firmware=${other}` },
  );
}

function bootSource({
  image,
  firmware,
  bus,
  cmdline,
  file,
  directory,
}: {
  image: PlannedImage;
  firmware: Firmware;
  bus: MediumBus | undefined;
  cmdline: string | undefined;
  file: (input: OutputRef | Artifact) => string;
  directory: (input: OutputRef<TreeArtifact>) => string;
}): BootSource {
  if (firmware === "uefi") {
    if (cmdline !== undefined)
      throw new BootwrightError("UNSUPPORTED", "under UEFI the command line is part of the image", {
        hint: "boot with --firmware=direct, or set cmdline in the config",
      });
    if (image.network !== undefined) {
      if (bus !== undefined) throw noBus(`image ${image.name} comes from the network`);
      const { root, file: name } = image.network;
      return { kind: "uefi", medium: { kind: "network", directory: directory(root), file: name } };
    }
    return {
      kind: "uefi",
      medium:
        image.optical && bus === undefined
          ? { kind: "iso", path: file(image.esp!()) }
          : {
              kind: "image",
              path: file(image.esp!()),
              sectorSize: image.sectorSize ?? 512,
              format: QEMU_FORMATS[image.diskFormat ?? "raw"],
              ...(bus !== undefined && { bus }),
            },
    };
  }
  if (bus !== undefined) throw noBus("a machine without firmware is given its kernel");
  const { kernel, initrd, cmdline: own } = image.direct!;
  return {
    kind: "direct",
    kernel: file(kernel),
    ...(initrd && { initrd: file(initrd) }),
    cmdline: cmdline ?? own,
    machine: firmware === "microvm" ? "microvm" : "q35",
  };
}

const noBus = (why: string): BootwrightError =>
  new BootwrightError("UNSUPPORTED", `${why}: there is no medium to attach`, { hint: "boot it without a bus" });

function secureBoot(boot: BootSource, { config, store }: Pick<Project, "config" | "store">): BootSource {
  if (boot.kind === "uefi") return { ...boot, secureBoot: { vars: secureBootVariables(config, store) } };
  throw new BootwrightError("UNSUPPORTED", "Secure Boot is the firmware's, and this machine starts without one", {
    hint: "boot with --firmware=uefi",
  });
}

/** What must be on the host, before anything is planned; kinds that need no firmware. */
const USUAL_FIRMWARE: Readonly<Record<string, Firmware>> = { kernel: "direct", microvm: "direct" };

const uefiOutput = (image: PlannedImage): OutputRef => image.network?.root ?? image.esp!();

const QEMU_FORMATS = { raw: "raw", qcow2: "qcow2", vhd: "vpc", vmdk: "vmdk" } as const;

const configuredDisk = (disk: ResolvedConfig["machines"][string]["disks"][number], dir: string): Disk =>
  disk.path === undefined ? { size: disk.size! } : { path: path.resolve(dir, disk.path) };

const network = (
  kind: "none" | "user",
  ports: readonly { readonly host: number; readonly guest: number }[],
): Network => (kind === "none" ? "none" : { kind: "user", forwards: ports });
