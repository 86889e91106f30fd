/** From what was seen to why a machine stopped. Pure. */
import { diagnose, hasPanicked } from "./diagnose.ts";
import type { MachineEnd } from "./machine.ts";

export interface ShutdownCause {
  /** The reason of QMP's SHUTDOWN event (QEMU qapi/run-state.json, ShutdownCause). */
  readonly shutdown?: string;
  readonly panicked?: boolean;
  /** The virtual CPU could not go on. */
  readonly internalError?: boolean;
  /** We stopped it. */
  readonly stopped?: boolean;
  readonly exit?: number | null;
}

export interface EndContext {
  readonly ms: number;
  readonly consoleText: string;
  readonly lastWords: string;
}

export function endOf(cause: ShutdownCause, { ms, consoleText, lastWords }: EndContext): MachineEnd {
  if (cause.internalError)
    return { reason: "failed", ms, detail: lastWords || "the virtual CPU stopped with an internal error" };
  if (cause.shutdown === "guest-shutdown") return { reason: "poweroff", ms };
  // With -no-reboot a reboot ends QEMU; a kernel with panic=-1 reboots after its panic.
  if (cause.panicked || cause.shutdown === "guest-panic") return { reason: "panic", ms };
  if (cause.shutdown === "guest-reset") {
    const text = consoleText.slice(-64 * 1024);
    if (!hasPanicked(text)) return { reason: "reboot", ms };
    const cause = diagnose(text)?.cause;
    return { reason: "panic", ms, ...(cause === undefined ? {} : { detail: cause }) };
  }
  if (cause.stopped || cause.shutdown?.startsWith("host-")) return { reason: "stopped", ms };
  return { reason: "failed", ms, detail: lastWords || `QEMU ended with ${cause.exit ?? "a signal"}` };
}

/** Completes "NAME …". */
export function sentenceFor(end: MachineEnd): string {
  switch (end.reason) {
    case "poweroff":
      return "powered off";
    case "reboot":
      return "rebooted";
    case "panic":
      return "panicked";
    case "stopped":
      return "was stopped";
    case "failed":
      return "failed: the virtual machine monitor ended";
  }
}
