/** The door of `vm`: machines to boot images in. */
export { chooseAccelerator, type ProbeOptions } from "./accelerator.ts";
export { lastLines } from "./ansi.ts";
export type { Console, WaitOptions } from "./console.ts";
export type { Diagnosis } from "./diagnose.ts";
export type { EventPort, GuestEvent } from "./event-port.ts";
export { secureVariableStore } from "./firmware.ts";
export type { ExecOptions, ExecResult, Machine, MachineEnd, Phase, PhaseTime } from "./machine.ts";
export { decodePng, encodePng, type Picture } from "./picture.ts";
export type { Screen, StillOptions } from "./screen.ts";
export type {
  Accelerator,
  Arch,
  BootSource,
  Disk,
  IdleLimits,
  MachineOptions,
  MachineSpec,
  MediumBus,
  Network,
  UefiMedium,
} from "./spec.ts";
export { startMachine } from "./start-machine.ts";
