/** What is kept of a failed test: the console, what its terminal showed, and a picture of the screen. */
import { createHash } from "node:crypto";
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { writeFileAtomic } from "../base/fs.ts";
import type { Machine } from "../vm/index.ts";
import { screenText } from "./screen-text.ts";

export interface Evidence {
  readonly files: readonly string[];
  /** Keeps a file; returns its path. */
  attach(name: string, content: Uint8Array | string): string;
}

export function evidenceIn(dir: string): Evidence {
  const files: string[] = [];
  return {
    files,
    attach: (name, content) => {
      const file = path.join(dir, path.basename(name));
      writeFileAtomic(file, content);
      if (!files.includes(file)) files.push(file);
      return file;
    },
  };
}

/** While the machine still runs, where it does. Never throws: evidence must not hide the failure. */
export async function keepEvidence(machine: Machine, evidence: Evidence): Promise<void> {
  try {
    evidence.attach("console.txt", `${machine.console.text}\n`);
    evidence.attach("screen.txt", `${await screenText(machine.console.raw)}\n`);
    if (machine.events.all.length > 0)
      evidence.attach("events.jsonl", machine.events.all.map((event) => `${JSON.stringify(event)}\n`).join(""));
    const picture = await Promise.race([machine.screen.png(), systemClock.sleep(5000)]);
    if (picture !== undefined) evidence.attach("screenshot.png", picture);
  } catch {} // No screen, or a machine that is gone.
}

/** A directory name that is readable, unique for the test, and short. */
export function evidenceName(file: string, test: string): string {
  const slug = `${path.basename(file).replace(/\.boot\.[cm]?[jt]s$/, "")}-${test}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 60);
  return `${slug}-${createHash("sha256").update(`${file}\0${test}`).digest("hex").slice(0, 8)}`;
}
