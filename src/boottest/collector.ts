/**
 * Where `test(…)` of the file that is being loaded puts itself. It hangs on globalThis, since the test file may import
 * another copy of this package than the one that runs it (`bootwright/test` by way of a project's own node_modules).
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Machine } from "../vm/index.ts";

/** Sizes in bytes, times in milliseconds. What is not given comes from the project's config. */
export interface TestOptions {
  /** Name of an image of the project; default its only one that boots. */
  readonly image?: string;
  /** Name of a machine of the config, for its memory, disks and network. */
  readonly machine?: string;
  readonly memory?: number;
  readonly cpus?: number;
  readonly firmware?: "uefi" | "direct" | "microvm";
  readonly cmdline?: string;
  /** The whole test, boot included; default 180 000. */
  readonly timeout?: number;
  readonly retries?: number;
  /** Begin when the guest is ready. Default true; false for tests of the boot itself. */
  readonly waitForReady?: boolean;
}

export type MachineFixture = Machine;

export interface TestFixtures {
  /** A fresh machine for each test; stopped after it. */
  readonly machine: MachineFixture;
  /** Aborted when the test is over or out of time. */
  readonly signal: AbortSignal;
}

export type TestBody = (fixtures: TestFixtures) => Promise<void> | void;

export interface CollectedTest {
  readonly file: string;
  readonly name: string;
  readonly options: TestOptions;
  readonly body: TestBody;
  readonly skip: boolean;
}

export interface FileCollector {
  readonly file: string;
  readonly tests: CollectedTest[];
  defaults: TestOptions;
}

/** What `expect` needs to know of the test that calls it. */
export interface CurrentTest {
  readonly file: string;
  readonly name: string;
  /** Keeps a file for the report; returns its path. */
  readonly attach: (name: string, content: Uint8Array | string) => string;
  readonly updateScreens: boolean;
  readonly signal: AbortSignal;
}

interface Shared {
  collector: FileCollector | undefined;
  readonly current: AsyncLocalStorage<CurrentTest>;
}

const KEY = Symbol.for("bootwright.boottest/1");

export function shared(): Shared {
  const global = globalThis as { [KEY]?: Shared };
  global[KEY] ??= { collector: undefined, current: new AsyncLocalStorage<CurrentTest>() };
  return global[KEY];
}

/** Runs `load` while tests of `file` register themselves. One file at a time. */
export async function collect(file: string, load: () => Promise<unknown>): Promise<readonly CollectedTest[]> {
  const collector: FileCollector = { file, tests: [], defaults: {} };
  shared().collector = collector;
  try {
    await load();
  } finally {
    shared().collector = undefined;
  }
  // `test.use` counts for the whole file, wherever it stands.
  return collector.tests.map((test) => ({ ...test, options: { ...collector.defaults, ...test.options } }));
}
