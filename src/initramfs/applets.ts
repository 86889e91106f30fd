/**
 * The commands that a BusyBox binary contains, read from its own table: the names, sorted, each with a NUL, `[` first.
 * Reading beats running: the binary may be for another processor.
 */
import { BootwrightError } from "../base/errors.ts";

const START = Buffer.from("[\0[[\0", "latin1");
const NAME = /^[a-z0-9][a-z0-9_.-]*$/;

/** Throws UNSUPPORTED when there is no such table, or it lacks what an init needs. */
export function appletNames(binary: Buffer): string[] {
  for (let at = binary.indexOf(START); at >= 0; at = binary.indexOf(START, at + 1)) {
    const names = tableAt(binary, at);
    if (["init", "mount", "sh"].every((name) => names.includes(name))) return names;
  }
  throw new BootwrightError("UNSUPPORTED", "this is not a BusyBox with init, mount and sh", {
    hint: "take Debian's busybox-static, or build BusyBox with these applets",
  });
}

function tableAt(binary: Buffer, start: number): string[] {
  const names = ["[", "[["];
  for (let at = start + START.length; ; ) {
    const end = binary.indexOf(0, at);
    if (end < 0 || end - at > 64) return names;
    const name = binary.toString("latin1", at, end);
    if (!NAME.test(name) || name <= names.at(-1)!) return names;
    names.push(name);
    at = end + 1;
  }
}
