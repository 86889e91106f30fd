/** Runs boot tests. */
import fs from "node:fs";
import path from "node:path";
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatDuration } from "../base/size.ts";
import { runBootTests, type TestReport, writeJsonReport, writeJunitReport } from "../boottest/index.ts";
import { hasConfig } from "../config/find.ts";
import { loadModule } from "../config/module.ts";
import { type PreparedMachine, prepareMachine } from "./machine.ts";
import { openProject } from "./project.ts";
import type { Report, Session } from "./session.ts";

export interface TestOptions {
  /** Files or directories; default every *.boot.ts of the project. */
  readonly files: readonly string[];
  /** Regular expression of test names. */
  readonly grep?: string;
  readonly retries: number;
  /** Write new expected screenshots. */
  readonly update: boolean;
  /** A report file beside the evidence: test-results/junit.xml or test-results/report.json. */
  readonly reporter?: "junit" | "json";
}

export async function test(session: Session, options: TestOptions): Promise<Report> {
  await using project = await openProject(session);
  const files = findTests(
    options.files.length > 0 ? options.files.map((file) => path.resolve(session.cwd, file)) : [project.config.dir],
  );
  if (files.length === 0)
    throw new BootwrightError("PATH_MISSING", "there is no *.boot.ts file here", {
      hint: "see `bootwright help boot-tests`",
    });
  const resultsDir = path.join(project.config.dir, "test-results");
  const machines = new Map<string, Promise<PreparedMachine>>();
  const prepare = (choice: Parameters<typeof prepareMachine>[1]) => {
    const key = JSON.stringify(choice);
    const known = machines.get(key) ?? prepareMachine(project, choice);
    machines.set(key, known);
    return known;
  };
  const report = await runBootTests({
    files,
    load: loadModule,
    resultsDir,
    retries: options.retries,
    updateScreens: options.update,
    emit: session.emit,
    signal: session.signal,
    ...(options.grep !== undefined && { grep: options.grep }),
    startMachine: async (image, { machine, memory, cpus, firmware, cmdline }, { signal }) => {
      const prepared = await prepare({ name: machine ?? image, memory, cpus, firmware, cmdline });
      return prepared.start({ signal, showConsole: false });
    },
  });
  const written = writeReport(report, { resultsDir, reporter: options.reporter });
  return {
    data: report as unknown as Report["data"],
    text: report.tests
      .map(
        (one) =>
          `${{ passed: "✓", failed: "✗", skipped: "-" }[one.status]} ${path.relative(session.cwd, one.file)} › ${one.name}  ${formatDuration(one.ms)}${failureText(one)}`,
      )
      .join("\n"),
    summary: [
      `${report.passed} passed, ${report.failed} failed, ${report.skipped} skipped in ${formatDuration(report.ms)}`,
      ...(written === undefined ? [] : [`report: ${path.relative(session.cwd, written)}`]),
    ].join("\n"),
    exit: report.ok ? EXIT.ok : EXIT.guest,
  };
}

function failureText({ error, attachments }: TestReport["tests"][number]): string {
  if (error === undefined) return "";
  const parts = [
    error.message,
    ...(error.hint === undefined ? [] : [`hint: ${error.hint}`]),
    ...(error.detail === undefined ? [] : [error.detail]),
    ...attachments.map((file) => `kept: ${file}`),
  ];
  return `\n${parts.join("\n").replace(/^/gm, "    ")}`;
}

function writeReport(
  report: TestReport,
  { resultsDir, reporter }: { resultsDir: string; reporter: TestOptions["reporter"] },
): string | undefined {
  if (reporter === undefined) return undefined;
  const file = path.join(resultsDir, reporter === "junit" ? "junit.xml" : "report.json");
  (reporter === "junit" ? writeJunitReport : writeJsonReport)(report, file);
  return file;
}

const SKIPPED_DIRECTORIES = new Set(["node_modules", "out", "test-results", ".git"]);

/** Files as named; of directories, every *.boot.ts below, but for directories with a config of their own: they are other projects. */
function findTests(places: readonly string[]): string[] {
  return places.flatMap((place) => {
    const stat = fs.statSync(place, { throwIfNoEntry: false });
    if (stat === undefined) throw new BootwrightError("PATH_MISSING", `${place} does not exist`);
    if (!stat.isDirectory()) return [place];
    return fs
      .readdirSync(place, { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        if (entry.isDirectory()) {
          const below = path.join(place, entry.name);
          return SKIPPED_DIRECTORIES.has(entry.name) || hasConfig(below) ? [] : findTests([below]);
        }
        return /\.boot\.(ts|mts|js|mjs)$/.test(entry.name) ? [path.join(place, entry.name)] : [];
      });
  });
}
