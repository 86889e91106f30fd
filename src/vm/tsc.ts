/**
 * The frequency of the time stamp counter, which a microvm's kernel cannot always find out under emulation: there is no
 * HPET or PM timer, and its measurement against the PIT fails when the host is busy. It then waits for a timer tick that
 * never comes (measured on two busy cores: about one boot in eight hung; none of 52 with the frequency given).
 */
import { readIfExists } from "../base/fs.ts";

/** kHz, or undefined where the host does not say. QEMU's emulation passes the host's counter to the guest. */
export const hostTscKhz = (): number | undefined =>
  parseTscKhz(readIfExists("/proc/cpuinfo")?.toString("latin1") ?? "");

/** From the text of /proc/cpuinfo. The nominal frequency in the model's name wins: "cpu MHz" follows power saving. */
export function parseTscKhz(cpuinfo: string): number | undefined {
  const nominal = /^model name\s*:.*@ ([\d.]+)GHz/m.exec(cpuinfo)?.[1];
  if (nominal !== undefined) return Math.round(Number(nominal) * 1e6);
  const current = /^cpu MHz\s*: ([\d.]+)/m.exec(cpuinfo)?.[1];
  return current === undefined ? undefined : Math.round(Number(current) * 1000);
}

/** The command line with the frequency, unless it has one (kernel-parameters: `tsc_early_khz=`). */
export const withTscFrequency = (cmdline: string, khz: number): string =>
  /(?:^| )tsc_early_khz=/.test(cmdline) ? cmdline : `${cmdline} tsc_early_khz=${khz}`.trimStart();
