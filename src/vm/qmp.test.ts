import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { openQmp, type QmpEvent } from "./qmp.ts";

const GREETING = { QMP: { version: { qemu: { major: 7, minor: 2, micro: 22 } }, capabilities: [] } };

/** A fake QMP peer: answers what `answer` gives for a command, as JSON lines. */
class FakeQmpPeer extends Duplex {
  readonly commands: { execute: string; id: number; arguments?: unknown }[] = [];
  readonly #answer: (command: { execute: string; id: number }) => readonly unknown[];

  constructor(
    answer: (command: { execute: string; id: number }) => readonly unknown[] = ({ id }) => [{ return: {}, id }],
  ) {
    super();
    this.#answer = answer;
  }

  say(...messages: readonly unknown[]): void {
    for (const message of messages) this.push(`${JSON.stringify(message)}\r\n`);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const command = JSON.parse(chunk.toString());
    this.commands.push(command);
    this.say(...this.#answer(command));
    done();
  }
}

test("greets, enters command mode, knows the version", async () => {
  const peer = new FakeQmpPeer();
  peer.say(GREETING);
  const qmp = await openQmp(peer, () => {});
  expect(qmp.version).toEqual([7, 2, 22]);
  expect(peer.commands.map((command) => command.execute)).toEqual(["qmp_capabilities"]);
  await qmp.command("screendump", { filename: "x" });
  expect(peer.commands[1]).toMatchObject({ execute: "screendump", arguments: { filename: "x" } });
});

test("events between a command and its answer are events", async () => {
  const event = { event: "SHUTDOWN", data: { guest: true, reason: "guest-shutdown" }, timestamp: {} };
  const peer = new FakeQmpPeer(({ id }) => [event, { return: { status: "running" }, id }]);
  peer.say(GREETING);
  const events: QmpEvent[] = [];
  const qmp = await openQmp(peer, (e) => events.push(e));
  events.length = 0;
  expect(await qmp.command("query-status")).toEqual({ status: "running" });
  expect(events).toEqual([{ event: "SHUTDOWN", data: { guest: true, reason: "guest-shutdown" } }]);
});

test("answers find their commands by id, not by order", async () => {
  const held: number[] = [];
  const peer = new FakeQmpPeer(({ execute, id }) => {
    if (execute === "qmp_capabilities") return [{ return: {}, id }];
    held.push(id);
    return held.length === 2
      ? [
          { return: "second", id: held[1] },
          { return: "first", id: held[0] },
        ]
      : [];
  });
  peer.say(GREETING);
  const qmp = await openQmp(peer, () => {});
  expect(await Promise.all([qmp.command("a"), qmp.command("b")])).toEqual(["first", "second"]);
});

test("a refusal names the command and the reason", async () => {
  const peer = new FakeQmpPeer(({ execute, id }) =>
    execute === "cont" ? [{ error: { class: "GenericError", desc: "not now" }, id }] : [{ return: {}, id }],
  );
  peer.say(GREETING);
  const qmp = await openQmp(peer, () => {});
  await expect(qmp.command("cont")).rejects.toMatchObject({
    code: "MACHINE_FAILED",
    message: "QEMU refused cont: not now",
  });
});

test("a peer that hangs up fails what waits, and what comes after", async () => {
  const peer = new FakeQmpPeer(({ execute, id }) => (execute === "qmp_capabilities" ? [{ return: {}, id }] : []));
  peer.say(GREETING);
  const qmp = await openQmp(peer, () => {});
  const waiting = qmp.command("stop");
  peer.destroy();
  await expect(waiting).rejects.toMatchObject({ code: "MACHINE_FAILED" });
  await expect(qmp.command("cont")).rejects.toMatchObject({ code: "MACHINE_FAILED" });
});

test("a peer that hangs up before its greeting is an error, noise before it is not", async () => {
  const silent = new FakeQmpPeer();
  const opening = openQmp(silent, () => {});
  silent.destroy();
  await expect(opening).rejects.toMatchObject({ code: "MACHINE_FAILED" });

  const noisy = new FakeQmpPeer();
  noisy.push("no json\n[]\n7\nnull\n");
  noisy.say(GREETING);
  await openQmp(noisy, () => {});
});
