/**
 * The `Machine` port: what a running virtual machine can do, whatever runs it. QEMU stands behind it today (`qemu.ts`);
 * callers depend on this file only. All times are milliseconds.
 */
import type { Console } from "./console.ts";
import type { EventPort } from "./event-port.ts";
import type { Screen } from "./screen.ts";
import type { Accelerator } from "./spec.ts";

export type Phase = "firmware" | "kernel" | "init" | "ready";

export interface PhaseTime {
  readonly phase: Phase;
  /** Since power-on. */
  readonly ms: number;
}

/** Why the machine stopped. `failed`: the monitor died or the virtual CPU could not go on. */
export interface MachineEnd {
  readonly reason: "poweroff" | "reboot" | "panic" | "stopped" | "failed";
  /** Since power-on. */
  readonly ms: number;
  /** One sentence, when there is more to say (the monitor's own last words). */
  readonly detail?: string;
}

export interface ExecOptions {
  /** Default 60 s; the command is killed when it is over. */
  readonly timeout?: number;
  /** Bytes of each stream that are kept; more is dropped and `truncated` says so. Default 8 MiB. */
  readonly maxOutput?: number;
  /** Called while output arrives. */
  readonly onOutput?: (chunk: Buffer, stream: "stdout" | "stderr") => void;
  /** Default: the agent when it answers, else a shell on the serial console. */
  readonly via?: "agent" | "console";
  readonly signal?: AbortSignal;
}

export interface ExecResult {
  readonly exit: number;
  readonly stdout: string;
  /** Always empty by way of the console, which has one stream only. */
  readonly stderr: string;
  readonly truncated: boolean;
}

export interface Machine extends AsyncDisposable {
  readonly name: string;
  readonly accelerator: Accelerator;
  readonly console: Console;
  readonly events: EventPort;
  readonly screen: Screen;
  /** The monitor's process id: to check that it is alive, never to signal it. */
  readonly pid: number;
  /** Resolves when the guest says that it is ready; rejects with GUEST_NOT_READY, GUEST_PANIC or MACHINE_FAILED. */
  readonly ready: Promise<void>;
  /** Resolves when the machine has stopped, for whatever reason; never rejects. */
  readonly ended: Promise<MachineEnd>;
  /** Power-on to ready; undefined until then. */
  readonly bootedIn: number | undefined;
  readonly phases: readonly PhaseTime[];
  /** Runs a shell command in the guest, after `ready`. Throws GUEST_EXEC_FAILED when there is no way in, or on timeout. */
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  /** Types text on the serial console. */
  type(text: string): void;
  /** Presses keys on the machine's keyboard: `"ctrl-alt-f2"`, `"ret"` (QEMU's key names). */
  press(...chords: readonly string[]): Promise<void>;
  /** Types text on the machine's keyboard (US layout). */
  typeOnKeyboard(text: string): Promise<void>;
  /** Presses the power button and waits; stops the machine by force after `timeout` (default 20 s). */
  powerdown(timeout?: number): Promise<MachineEnd>;
  /** The reset button. */
  reset(): Promise<void>;
  /** Stops at once and removes the scratch directory; safe to call twice. */
  stop(): Promise<MachineEnd>;
}
