/** Checks this machine, and installs what is missing. */
import { EXIT } from "../base/error-codes.ts";
import type { HostCheck } from "./doctor-checks.ts";
import { checkHost, type HostCheckOptions } from "./host-check.ts";
import type { Report } from "./session.ts";

export type DoctorOptions = HostCheckOptions;

/** Exit code 4 when something that is needed is missing. Throws PROGRAM_FAILED when an installation fails. */
export async function doctor(options: DoctorOptions): Promise<Report> {
  const { checks, ok, command, installed } = await checkHost(options);
  return {
    data: {
      checks: checks.map((check) => ({ ...check })),
      installed: [...installed],
      ...(command === undefined ? {} : { command }),
    },
    text: `${checks.map(line).join("\n")}\n`,
    summary: ok
      ? `this host can ${options.for}`
      : `something is missing; ${command === undefined ? "see the lines with ✗" : `run: ${command}`}`,
    exit: ok ? EXIT.ok : EXIT.host,
  };
}

function line({ name, ok, optional, detail, fix }: HostCheck): string {
  const mark = ok ? "✓" : optional === true ? "!" : "✗";
  return [
    `${mark} ${name.padEnd(24)} ${detail}`,
    ...(fix === undefined ? [] : [`  ${" ".repeat(24)} fix: ${fix}`]),
  ].join("\n");
}
