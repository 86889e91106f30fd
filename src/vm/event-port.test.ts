import { expect, test } from "vitest";
import { EventPort } from "./event-port.ts";

test("events that came and events that come", async () => {
  const port = new EventPort();
  port.receive('{"event":"booted","ms":12}');
  expect(await port.waitFor("booted")).toEqual({ event: "booted", ms: 12 });
  const later = port.waitFor("step", { where: (event) => event.n === 2 });
  port.receive('{"event":"step","n":1}');
  port.receive('{"event":"step","n":2}');
  expect(await later).toEqual({ event: "step", n: 2 });
});

test("lines that are no event are counted and ignored", () => {
  const port = new EventPort();
  for (const line of ["", "no json", "[]", "null", "7", '{"event":7}', '{"other":"x"}', '{"event":'])
    port.receive(line);
  expect(port.all).toEqual([]);
  expect(port.ignored).toBe(7);
});

test("a wait that fails names what came instead; the machine's end ends it", async () => {
  const port = new EventPort();
  port.receive('{"event":"a"}');
  port.receive('{"event":"b"}');
  await expect(port.waitFor("c", { timeout: 5 })).rejects.toMatchObject({
    code: "GUEST_TIMEOUT",
    hint: "it sent: a, b",
  });
  const waiting = port.waitFor("c");
  port.end(new Error("gone"));
  await expect(waiting).rejects.toThrow("gone");
});
