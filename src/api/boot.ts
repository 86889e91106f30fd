/** Boots an image in a virtual machine. */
import fs from "node:fs";
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { BootwrightError, ioError } from "../base/errors.ts";
import { shellQuote } from "../base/process.ts";
import { formatDuration, parseSize, SIZE_PATTERN } from "../base/size.ts";
import type { Disk, Machine, MachineEnd } from "../vm/index.ts";
import { type PreparedMachine, prepareMachine } from "./machine.ts";
import { openProject } from "./project.ts";
import type { Report, Session } from "./session.ts";

export interface BootOptions {
  /** Image or machine; default the only one. */
  readonly image?: string;
  /** Program and arguments to run in the guest; its exit code is passed on. */
  readonly command: readonly string[];
  /** Bytes. */
  readonly memory?: number;
  readonly cpus?: number;
  /** Sizes or paths. */
  readonly disks: readonly string[];
  readonly network?: "none" | "user";
  readonly firmware?: "uefi" | "direct" | "microvm";
  /** How the image is attached; default what the machine says. */
  readonly bus?: "virtio" | "usb";
  /** With the project's keys enrolled; default what the machine says. */
  readonly secureBoot?: boolean;
  /** The console goes here rather than to the terminal. */
  readonly serialFile?: string;
  /** PNG of the screen, once it is ready. */
  readonly screenshot?: string;
  /** End once the machine is ready. */
  readonly wait: boolean;
  /** Milliseconds to become ready. */
  readonly timeout?: number;
  readonly terminal?: GuestTerminal;
}

/** The person's side: what a guest command prints, and keys for the console, whose text goes out as events. */
export interface GuestTerminal {
  /** A guest command's own output. */
  output(chunk: Buffer, stream: "stdout" | "stderr"): void;
  /** Starts to pass keys on; returns the way to stop. Absent: nobody types. */
  readonly listen?: (onKeys: (keys: Buffer) => void, onQuit: () => void) => () => void;
}

export async function boot(session: Session, options: BootOptions): Promise<Report> {
  await using project = await openProject(session);
  const { image, memory, cpus, network, firmware, bus, secureBoot } = options;
  const prepared = await prepareMachine(project, {
    name: image,
    memory,
    cpus,
    network,
    firmware,
    bus,
    secureBoot,
    disks: options.disks.map((text) => diskOf(text, session.cwd)),
  });
  await using machine = await prepared.start({
    signal: session.signal,
    showConsole: options.command.length === 0 && options.serialFile === undefined,
  });
  const detach = attachConsole(machine, { options, session });
  try {
    if (options.command.length === 0 && !options.wait && options.screenshot === undefined)
      return await untilEnd(machine, { prepared, session });
    await ready(machine, options.timeout);
    if (options.screenshot !== undefined) await takeScreenshot(machine, path.resolve(session.cwd, options.screenshot));
    if (options.command.length > 0) return await runCommand(machine, { options, session });
    return { data: summaryOf(machine, prepared), text: bootedText(machine, prepared) };
  } finally {
    detach();
  }
}

/** Until the guest powers off, or the person leaves. A panic is an error; so is a guest that never became ready. */
async function untilEnd(
  machine: Machine,
  { prepared, session }: { prepared: PreparedMachine; session: Session },
): Promise<Report> {
  machine.ready.then(
    () => session.emit({ type: "note", text: bootedText(machine, prepared) }),
    () => {},
  );
  const end = await Promise.race([machine.ended, failure(machine)]);
  if (end.reason === "panic" || end.reason === "failed") await machine.ready; // Rejects with the diagnosis when it came before `ready`.
  if (end.reason === "panic")
    throw new BootwrightError("GUEST_PANIC", `${machine.name} panicked`, { detail: machine.console.lastLines() });
  if (end.reason === "failed")
    throw new BootwrightError("MACHINE_FAILED", end.detail ?? `${machine.name} stopped by itself`);
  return {
    data: { ...summaryOf(machine, prepared), end: end.reason },
    text: "",
    summary: `${machine.name}: ${endText(end)} after ${formatDuration(end.ms)}`,
  };
}

/** A machine that will not come up ends the command; one that is up may run for ever. */
const failure = (machine: Machine): Promise<MachineEnd> => machine.ready.then(() => machine.ended);

async function runCommand(
  machine: Machine,
  { options, session }: { options: BootOptions; session: Session },
): Promise<Report> {
  const [only, ...more] = options.command;
  // One word is a shell line, several are a program and its arguments.
  const line = more.length === 0 ? only! : shellQuote(options.command);
  const result = await machine.exec(line, {
    timeout: 24 * 3600_000,
    signal: session.signal,
    ...(options.terminal && { onOutput: (chunk, stream) => options.terminal!.output(chunk, stream) }),
  });
  return {
    data: {
      exit: result.exit,
      stdout: result.stdout,
      stderr: result.stderr,
      bootedIn: Math.round(machine.bootedIn ?? 0),
    },
    text: "",
    exit: result.exit,
  };
}

async function ready(machine: Machine, timeout: number | undefined): Promise<void> {
  if (timeout === undefined) return machine.ready;
  const over = new AbortController();
  const late = systemClock.sleep(timeout, over.signal).then(() => {
    throw new BootwrightError("GUEST_NOT_READY", `${machine.name} was not ready after ${formatDuration(timeout)}`, {
      detail: machine.console.lastLines(),
    });
  });
  late.catch(() => {});
  try {
    await Promise.race([machine.ready, late]);
  } finally {
    over.abort(new Error("in time"));
  }
}

function attachConsole(machine: Machine, { options, session }: { options: BootOptions; session: Session }): () => void {
  const { serialFile, terminal, command } = options;
  const detach: (() => void)[] = [];
  if (serialFile !== undefined) {
    const file = path.resolve(session.cwd, serialFile);
    const fd = openFile(file);
    fs.writeSync(fd, machine.console.raw);
    detach.push(
      machine.console.onText((text) => fs.writeSync(fd, text)),
      () => fs.closeSync(fd),
    );
  }
  if (terminal?.listen !== undefined && command.length === 0 && !options.wait)
    detach.push(
      terminal.listen(
        (keys) => machine.console.write(keys),
        () => void machine.stop(),
      ),
    );
  return () => {
    for (const stop of detach) stop();
  };
}

function openFile(file: string): number {
  try {
    return fs.openSync(file, "w");
  } catch (error) {
    throw ioError("write", file, error);
  }
}

async function takeScreenshot(machine: Machine, file: string): Promise<void> {
  const picture = await machine.screen.still();
  try {
    fs.writeFileSync(file, picture);
  } catch (error) {
    throw ioError("write", file, error);
  }
}

function diskOf(text: string, cwd: string): Disk {
  if (SIZE_PATTERN.test(text)) return { size: parseSize(text) };
  const file = path.resolve(cwd, text);
  if (!fs.existsSync(file))
    throw new BootwrightError("PATH_MISSING", `--disk ${text}: no such file`, {
      hint: 'a size makes an empty disk: --disk "1GiB"',
    });
  return { path: file, format: file.endsWith(".qcow2") ? "qcow2" : "raw" };
}

function summaryOf(machine: Machine, { firmware, image }: PreparedMachine) {
  return {
    image: image.name,
    firmware,
    accelerator: machine.accelerator.name,
    bootedIn: machine.bootedIn === undefined ? null : Math.round(machine.bootedIn),
    phases: machine.phases.map(({ phase, ms }) => ({ phase, ms: Math.round(ms) })),
  };
}

/** "hello: booted in 6.4 s (uefi, tcg: firmware 4.1 s, kernel 1.2 s, init 1.1 s)". */
export function bootedText(machine: Machine, { firmware, image }: PreparedMachine): string {
  const marks = [...machine.phases];
  const spans = marks.slice(1).map((mark, i) => `${marks[i]!.phase} ${formatDuration(mark.ms - marks[i]!.ms)}`);
  return `${image.name}: booted in ${formatDuration(machine.bootedIn ?? 0)} (${[firmware, machine.accelerator.name].join(", ")}${spans.length > 0 ? `: ${spans.join(", ")}` : ""})`;
}

const endText = (end: MachineEnd): string =>
  ({ poweroff: "powered off", reboot: "asked to reboot", panic: "panicked", stopped: "stopped", failed: "failed" })[
    end.reason
  ];
