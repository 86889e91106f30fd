/** The report as one JSON document, for scripts; fields are only ever added. */
import { writeFileAtomic } from "../base/fs.ts";
import type { TestReport } from "./report.ts";

/** Throws an I/O error. */
export function writeJsonReport(report: TestReport, file: string): void {
  writeFileAtomic(file, `${JSON.stringify({ schema: "bootwright.test/1", ...report }, null, 2)}\n`);
}
