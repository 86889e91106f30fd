/** UEFI firmware on this host: the code, and a private copy of the variable store that this machine may write. */
import { copyFileSync, existsSync } from "node:fs";
import path from "node:path";
import { BootwrightError, ioError } from "../base/errors.ts";
import { QEMU_ARCHES } from "./qemu-arch.ts";
import type { Arch, BootSource } from "./spec.ts";

export interface Firmware {
  readonly code: string;
  /** In the scratch directory, or the machine's own. */
  readonly vars: string;
  readonly secure: boolean;
}

/** Throws HOST_TOOL_MISSING with the package to install, or an I/O error. */
export function prepareFirmware(arch: Arch, boot: BootSource & { kind: "uefi" }, scratch: string): Firmware {
  const secure = boot.secureBoot !== undefined;
  const { firmware, secureFirmware, firmwarePackage } = QEMU_ARCHES[arch];
  const found = (secure ? secureFirmware : firmware)
    .map((code) => ({ code, vars: boot.secureBoot?.vars ?? varsFor(code) }))
    .find(({ code, vars }) => existsSync(code) && existsSync(vars));
  if (found === undefined)
    throw new BootwrightError(
      "HOST_TOOL_MISSING",
      `this host lacks ${secure ? "Secure Boot " : ""}UEFI firmware for ${arch}`,
      { hint: `bootwright doctor --fix, or: sudo apt-get install -y --no-install-recommends ${firmwarePackage}` },
    );
  const vars = boot.variables ?? path.join(scratch, "vars.fd");
  if (existsSync(vars)) return { code: found.code, vars, secure };
  try {
    copyFileSync(found.vars, vars);
  } catch (error) {
    throw ioError("copy", found.vars, error);
  }
  return { code: found.code, vars, secure };
}

/** An empty variable store for the firmware that enforces Secure Boot. Throws UNSUPPORTED, HOST_TOOL_MISSING. */
export function secureVariableStore(arch: Arch): string {
  const { secureFirmware, firmwarePackage } = QEMU_ARCHES[arch];
  if (secureFirmware.length === 0)
    throw new BootwrightError("UNSUPPORTED", `there is no firmware with Secure Boot for ${arch} machines here`);
  const found = secureFirmware
    .flatMap((code) => [varsFor(code), varsFor(code.replace(".secboot", ""))])
    .find((vars) => existsSync(vars));
  if (found !== undefined) return found;
  throw new BootwrightError("HOST_TOOL_MISSING", `this host lacks Secure Boot UEFI firmware for ${arch}`, {
    hint: `bootwright doctor --fix, or: sudo apt-get install -y --no-install-recommends ${firmwarePackage}`,
  });
}

const varsFor = (code: string): string =>
  path.join(path.dirname(code), path.basename(code).replace("CODE", "VARS").replace("code", "vars"));
