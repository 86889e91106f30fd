/**
 * Projects for tests: a config in a temporary directory, built with the real code. The packages come from the host's
 * mirror once a run: `npm test` gives all test files one store (BOOTWRIGHT_TEST_STORE), a single file makes its own.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll } from "vitest";
import { buildImages } from "../../src/api/build.ts";
import { openProject, type Project } from "../../src/api/project.ts";
import type { Session } from "../../src/api/session.ts";
import { type Emit, silent } from "../../src/base/events.ts";
import { removeTree } from "../../src/base/fs.ts";

const made: string[] = [];

afterAll(() => {
  for (const dir of made.splice(0)) removeTree(dir);
});

/** A directory that is removed when the test file is done. */
export function temporaryDir(name = "bootwright-test-"): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), name));
  made.push(dir);
  return dir;
}

let own: string | undefined;

/** The store that this run's tests share for what they download. */
export function sharedStore(): string {
  own ??= process.env.BOOTWRIGHT_TEST_STORE ?? temporaryDir("bootwright-store-");
  return own;
}

export interface TestSessionOptions {
  readonly storeDir?: string;
  readonly dataDir?: string;
  readonly emit?: Emit;
  readonly signal?: AbortSignal;
  readonly offline?: boolean;
  readonly frozen?: boolean;
  readonly profiles?: readonly string[];
}

export function testSession(cwd: string, options: TestSessionOptions = {}): Session {
  return {
    cwd,
    profiles: options.profiles ?? [],
    env: process.env,
    storeDir: options.storeDir ?? sharedStore(),
    dataDir: options.dataDir ?? path.join(cwd, "data of the user"),
    offline: options.offline ?? false,
    frozen: options.frozen ?? false,
    interactive: false,
    emit: options.emit ?? silent,
    signal: options.signal ?? new AbortController().signal,
  };
}

/** Writes `bootwright.yaml` and further files; gives the directory. */
export function writeProject(
  config: string,
  files: Readonly<Record<string, string>> = {},
  dir = temporaryDir(),
): string {
  for (const [name, content] of Object.entries({ "bootwright.yaml": config, ...files })) {
    const file = path.join(dir, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content, { mode: content.startsWith("#!") ? 0o755 : 0o644 });
  }
  return dir;
}

/** Opens a project for the length of `body`. */
export async function withProject<T>(
  dir: string,
  options: TestSessionOptions,
  body: (project: Project) => Promise<T>,
): Promise<T> {
  await using project = await openProject(testSession(dir, options));
  return await body(project);
}

/** Builds all images; gives their files by name. */
export function buildProject(dir: string, options: TestSessionOptions = {}): Promise<Record<string, string>> {
  return withProject(dir, options, async (project) => {
    const { built } = await buildImages(project, { images: [] });
    return Object.fromEntries(built.map(({ image, file }) => [image.name, file]));
  });
}
