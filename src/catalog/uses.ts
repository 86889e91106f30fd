/** Which projects use a bundle: noted when they are built, and still true while their lock pins it. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { readIfExists, removeQuietly, writeFileAtomic } from "../base/fs.ts";

export class BundleUses {
  readonly #dir: string;

  constructor(dataDir: string) {
    this.#dir = path.join(dataDir, "uses");
  }

  /** `project`: its config's path; `lockFile` beside it. */
  note(project: string, { lockFile, bundles }: { lockFile: string; bundles: readonly string[] }): void {
    const file = path.join(this.#dir, `${createHash("sha256").update(project).digest("hex").slice(0, 32)}.json`);
    const text = `${JSON.stringify({ project, lockFile, bundles: [...bundles].sort() })}\n`;
    if (readIfExists(file)?.toString("utf8") !== text) writeFileAtomic(file, text);
  }

  /** Configs of the projects that pin a bundle with this SHA-256. */
  of(sha256: string): readonly string[] {
    if (!fs.existsSync(this.#dir)) return [];
    return fs
      .readdirSync(this.#dir)
      .filter((name) => name.endsWith(".json"))
      .map((name) => path.join(this.#dir, name))
      .flatMap((file): string[] => {
        const use = parse(readIfExists(file)?.toString("utf8"));
        if (use === undefined || !fs.existsSync(use.project)) {
          removeQuietly(file);
          return [];
        }
        const pinned = readIfExists(use.lockFile)?.includes(sha256) ?? false;
        return use.bundles.includes(sha256) && pinned ? [use.project] : [];
      })
      .sort();
  }
}

function parse(
  text: string | undefined,
): { project: string; lockFile: string; bundles: readonly string[] } | undefined {
  try {
    const { project, lockFile, bundles } = JSON.parse(text ?? "");
    if (typeof project !== "string" || typeof lockFile !== "string" || !Array.isArray(bundles)) return undefined;
    return { project, lockFile, bundles };
  } catch {
    return undefined;
  }
}
