/** `bootwright dev`: a change is built and booted; the same bytes and broken edits leave the machine as it is. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { type DevRound, dev } from "../../src/api/dev.ts";
import type { BuildEvent } from "../../src/base/events.ts";
import { processesBelow, programOf } from "../support/processes.ts";
import { testSession, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: dev
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs:
  init: busybox
  files: { /etc/greet: { file: ./greet.sh, executable: true } }
  run: [/etc/greet]
images: { dev: { kind: uki, cmdline: console=ttyS0 quiet } }
`;

test("rounds", async () => {
  const dir = writeProject(CONFIG, { "greet.sh": "#!/bin/sh\necho greeting 1\n" });
  const edit = (name: string, text: string) => fs.writeFileSync(path.join(dir, name), text);
  const rounds = new Queue<DevRound>();
  const stop = new AbortController();
  let console_ = "";
  const emit = (event: BuildEvent) => {
    if (event.type === "machine.console") console_ += event.text;
  };
  const session = testSession(dir, { emit, signal: stop.signal });
  const ended = dev(session, { onRound: (round) => rounds.add(round) });
  ended.catch((error) => rounds.fail(error));

  expect(await rounds.next()).toMatchObject({ outcome: "booted", changed: [] });
  expect(console_).toContain("greeting 1");

  edit("greet.sh", "#!/bin/sh\necho greeting 2\n");
  const second = await rounds.next();
  expect(second).toMatchObject({ outcome: "booted", changed: [path.join(dir, "greet.sh")] });
  expect(second.booted).toBeGreaterThan(0);
  expect(console_).toContain("greeting 2");

  edit("greet.sh", "#!/bin/sh\necho greeting 2\n");
  expect(await rounds.next()).toMatchObject({ outcome: "unchanged" });

  edit("bootwright.yaml", CONFIG.replace("init: busybox", "innit: busybox"));
  expect(await rounds.next()).toMatchObject({ outcome: "failed", error: { code: "CONFIG_INVALID" } });
  const last = machines();
  expect(last).toHaveLength(1);

  // Another kernel command line, and the mistake mended.
  edit("bootwright.yaml", CONFIG.replace("quiet", "quiet mended"));
  expect(await rounds.next()).toMatchObject({ outcome: "booted", changed: [path.join(dir, "bootwright.yaml")] });
  expect(machines()).toHaveLength(1);
  expect(machines()).not.toEqual(last);

  stop.abort(new Error("enough"));
  await expect(ended).rejects.toThrow("enough");
  expect(machines()).toEqual([]);
});

const machines = (): number[] => processesBelow(process.pid).filter((pid) => programOf(pid).startsWith("qemu-system"));

/** What comes by callback, to be awaited one by one. */
class Queue<T> {
  readonly #items: T[] = [];
  readonly #waiting: { resolve: (item: T) => void; reject: (error: unknown) => void }[] = [];

  add(item: T): void {
    const next = this.#waiting.shift();
    if (next) next.resolve(item);
    else this.#items.push(item);
  }

  fail(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  next(): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#items.length > 0) resolve(this.#items.shift()!);
    else this.#waiting.push({ resolve, reject });
    return promise;
  }
}
