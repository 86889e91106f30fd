/** A publisher that is a process of its own, so that it can be killed: `publisher.ts '{"place":…,"version":…}'`. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { isBootwrightError } from "../../src/base/errors.ts";
import { publishFiles } from "../../src/publish/publish-files.ts";
import { contentOf, openTestTarget, type TestPlace } from "./test-place.ts";

interface Order {
  readonly place: TestPlace;
  readonly version: string;
  /** Who publishes: part of the content. */
  readonly who: string;
  /** How far this publisher's time is ahead, in milliseconds. */
  readonly later: number;
}

const { place, version, who, later } = JSON.parse(process.argv[2]!) as Order;
const content = contentOf(version, who);
const local = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "bootwright-publisher-")), "file");
fs.writeFileSync(local, content);
const target = openTestTarget(place, later);
process.stdout.write("go\n");
try {
  await publishFiles(target, {
    files: [
      {
        ...{
          publication: "kernel",
          image: "efi",
          kind: "efi",
          name: `vmlinuz-${version}.efi`,
          immutable: [`v${version}`],
        },
        ...{ moving: ["latest"], version, arch: "x86_64", kernel: version, size: content.length, local },
        sha256: createHash("sha256").update(content).digest("hex"),
      },
    ],
    ...{ keep: { kernel: 1000 }, protectedDigests: new Set(), secret: undefined, dryRun: false },
    ...{ views: ["SHA256SUMS", "index.html", "kernels.txt", "kernels.json"], now: "2026-01-02T03:04:05Z" },
    signal: new AbortController().signal,
  });
  process.stdout.write("published\n");
} catch (error) {
  process.stdout.write(`${isBootwrightError(error) ? error.code : error}\n`);
} finally {
  fs.rmSync(path.dirname(local), { recursive: true });
}
process.exit();
