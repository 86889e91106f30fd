/**
 * Follows a boot: firmware → kernel → init → ready. There is no one big timeout, because software emulation is 20 times
 * slower than hardware: a machine counts as hung when it has said nothing at all for as long as its phase allows.
 */
import type { Clock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Console } from "./console.ts";
import { diagnose, hasPanicked, isFatal } from "./diagnose.ts";
import type { Phase, PhaseTime } from "./machine.ts";
import type { IdleLimits } from "./spec.ts";

/** Generous: four machines on two cores under emulation must not count as hung. A `quiet` kernel says nothing at all. */
export const IDLE_LIMITS: Readonly<Record<"kvm" | "tcg", IdleLimits>> = {
  kvm: { firmware: 30_000, kernel: 30_000, init: 30_000 },
  tcg: { firmware: 90_000, kernel: 60_000, init: 60_000 },
};

const ORDER: readonly Phase[] = ["firmware", "kernel", "init", "ready"];

const KERNEL_SIGN = /Linux version |EFI stub: |BdsDxe: starting (?![^\n]*Shell)|\[ {0,4}\d+\.\d{6}\]/;
const INIT_SIGN = /Run \S+ as init process|systemd\[1\]: /;
/** Text that neither a firmware nor the kernel writes: a userspace line. */
const FIRMWARE_LINE = /^(?:BdsDxe|SeaBIOS|iPXE|Booting from|Press any key|EFI stub|\s*$)/;

export interface BootWatchOptions {
  readonly clock: Clock;
  readonly idle: IdleLimits;
  readonly name: string;
  /** Phases begin here: a direct boot has next to no firmware. */
  readonly from: "firmware" | "kernel";
  readonly onPhase: (phase: PhaseTime) => void;
  /** The boot is over, badly. Called once. */
  readonly onFailure: (error: BootwrightError) => void;
  /** It starts again by itself: once it was ready, a panic is no end. */
  readonly restarts?: boolean;
  /** The console's pattern for ready, when the caller gave one. */
  readonly readyPattern?: RegExp | undefined;
}

export class BootWatch {
  readonly #options: BootWatchOptions;
  readonly #console: Console;
  readonly #began: number;
  readonly #phases: PhaseTime[] = [];
  #phase: Phase;
  #lastSign: number;
  #timer: NodeJS.Timeout | undefined;
  #scanned = 0;
  #over = false;

  /** Starts at power-on. */
  constructor(console: Console, options: BootWatchOptions) {
    this.#options = options;
    this.#console = console;
    this.#began = options.clock.elapsed();
    this.#lastSign = this.#began;
    this.#phase = options.from;
    this.#enter(options.from);
    this.#timer = setInterval(() => this.#checkIdle(), 500);
    this.#timer.unref();
    console.onText(() => this.#scan());
  }

  get phases(): readonly PhaseTime[] {
    return this.#phases;
  }

  get sinceStart(): number {
    return this.#options.clock.elapsed() - this.#began;
  }

  /** Any other sign of life: an event, the agent. */
  sign(): void {
    this.#lastSign = this.#options.clock.elapsed();
  }

  /** The guest is ready; watching for a panic goes on. */
  ready(): void {
    this.#advance("ready");
    clearInterval(this.#timer);
  }

  stop(): void {
    this.#over = true;
    clearInterval(this.#timer);
  }

  #scan(): void {
    if (this.#over) return;
    this.sign();
    const start = this.#scanned;
    const text = this.#console.since(start);
    // The last line may be unfinished: it is looked at again with what follows, within a bound.
    this.#scanned = Math.max(start, this.#console.position - Math.min(unfinished(text), 4096));
    this.#recognisePhase(text);
    if (this.#options.readyPattern?.test(text)) this.ready();
    // A guest that is ready may print any log on its console: from then on only a panic counts.
    if (this.#phase === "ready" ? hasPanicked(text) && !this.#options.restarts : isFatal(text)) this.#fatalSoon();
  }

  #recognisePhase(text: string): void {
    if (this.#phase === "ready") return;
    if (INIT_SIGN.test(text)) this.#advance("init");
    else if (KERNEL_SIGN.test(text)) this.#advance("kernel");
    // A `quiet` kernel writes nothing: the first plain line that is no firmware's comes from userspace.
    else if (this.#phase === "kernel" && text.split("\n").some((line) => !FIRMWARE_LINE.test(line)))
      this.#advance("init");
  }

  #advance(phase: Phase): void {
    if (ORDER.indexOf(phase) > ORDER.indexOf(this.#phase)) this.#enter(phase);
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    const entry = { phase, ms: this.sinceStart };
    this.#phases.push(entry);
    this.#options.onPhase(entry);
  }

  /** The lines after the first fatal one tell more (the panic's reason, a call trace): give them a moment. */
  #fatalSoon(): void {
    this.#over = true;
    clearInterval(this.#timer);
    setTimeout(() => {
      this.#options.onFailure(bootFailure(this.#options.name, this.#console, "stopped"));
    }, 300);
  }

  #checkIdle(): void {
    if (this.#over || this.#phase === "ready") return;
    const limit = this.#options.idle[this.#phase];
    if (this.#options.clock.elapsed() - this.#lastSign < limit) return;
    this.stop();
    this.#options.onFailure(bootFailure(this.#options.name, this.#console, { phase: this.#phase, limit }));
  }
}

/** GUEST_PANIC when the kernel stopped for good, else GUEST_NOT_READY; with the cause and the last console lines. */
export function bootFailure(
  name: string,
  console: Console,
  why: "stopped" | { readonly phase: Phase; readonly limit: number } | { readonly ended: string },
): BootwrightError {
  const diagnosis = diagnose(console.raw);
  const message = [situation(name, why), diagnosis?.cause].filter((part) => part !== undefined).join(": ");
  const detail = console.lastLines();
  return new BootwrightError(hasPanicked(console.raw) ? "GUEST_PANIC" : "GUEST_NOT_READY", message, {
    hint: diagnosis?.hint ?? silentHint(detail, why),
    ...(detail === "" ? {} : { detail }),
  });
}

function situation(name: string, why: Parameters<typeof bootFailure>[2]): string {
  if (why === "stopped") return `${name} cannot become ready`;
  if ("ended" in why) return `${name} ${why.ended} before it was ready`;
  return `${name} said nothing for ${why.limit / 1000} s in phase "${why.phase}"`;
}

function silentHint(detail: string, why: Parameters<typeof bootFailure>[2]): string {
  if (detail === "" && typeof why === "object" && "ended" in why)
    return "it wrote nothing before: too little memory for kernel and initramfs, or no kernel of this architecture";
  if (detail === "")
    return "its console is silent: the command line needs console=ttyS0 (ttyAMA0 on aarch64), the kernel a serial driver";
  if (typeof why === "object" && "phase" in why)
    return "ready is an event on the events port (the agent sends it) or the console pattern that was given";
  return "the last console lines say what it did";
}

const unfinished = (text: string): number => text.length - (text.lastIndexOf("\n") + 1);
