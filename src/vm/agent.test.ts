import { expect, test } from "vitest";
import { Agent } from "./agent.ts";

/** An agent whose guest answers each line that the host writes. */
function agentWith(answer: (words: readonly string[], say: (line: string) => void) => void): {
  agent: Agent;
  written: string[];
} {
  const written: string[] = [];
  const agent = new Agent((line) => {
    written.push(line.trimEnd());
    // The real answer comes later too.
    queueMicrotask(() => answer(line.trimEnd().split(" "), (reply) => agent.receive(reply)));
  });
  agent.receive("hello 1");
  return { agent, written };
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

test("output is put together and given as it comes", async () => {
  const { agent } = agentWith(([, id], say) => {
    say(`out ${id} ${base64("one ")}`);
    say(`err ${id} ${base64("oops")}`);
    say("out ffff00 bm90IG91cnM=");
    say("noise");
    say(`out ${id} ${base64("two")}`);
    say(`exit ${id} 3`);
  });
  const chunks: string[] = [];
  const result = await agent.exec("x", { onOutput: (chunk, stream) => chunks.push(`${stream}:${chunk}`) });
  expect(result).toEqual({ exit: 3, stdout: "one two", stderr: "oops", truncated: false });
  expect(chunks).toEqual(["stdout:one ", "stderr:oops", "stdout:two"]);
});

test("what is over the bound is dropped, and said", async () => {
  const { agent } = agentWith(([, id], say) => {
    for (let i = 0; i < 10; i++) say(`out ${id} ${base64("0123456789")}`);
    say(`exit ${id} 0`);
  });
  expect(await agent.exec("x", { maxOutput: 25 })).toMatchObject({
    stdout: "0123456789012345678901234",
    truncated: true,
  });
});

test("a command that does not end is killed", async () => {
  const { agent, written } = agentWith(([verb, id], say) => {
    if (verb === "exec") say(`out ${id} ${base64("so far")}`);
  });
  await expect(agent.exec("sleep 9", { timeout: 20 })).rejects.toMatchObject({
    code: "GUEST_EXEC_FAILED",
    message: "`sleep 9` did not end within 0.02 s",
    detail: "so far",
  });
  expect(written[1]).toMatch(/^kill [0-9a-f]{12}$/);
});

test("a caller can give up", async () => {
  const { agent, written } = agentWith(() => {});
  const controller = new AbortController();
  const running = agent.exec("x", { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(running).rejects.toThrow("enough");
  expect(written[1]).toMatch(/^kill /);
});

test("a guest that goes away, or whose agent starts again, ends what runs", async () => {
  const first = agentWith(() => {});
  const running = first.agent.exec("x");
  first.agent.receive("hello 1");
  await expect(running).rejects.toMatchObject({ code: "GUEST_EXEC_FAILED" });
  expect(first.agent.answers).toBe(true);

  const second = first.agent.exec("x");
  first.agent.end(new Error("gone"));
  await expect(second).rejects.toThrow("gone");
  await expect(first.agent.exec("x")).rejects.toThrow("gone");
  expect(first.agent.answers).toBe(false);
});

test("a command that does not fit is refused before it is sent", async () => {
  const { agent, written } = agentWith(() => {});
  await expect(agent.exec("x".repeat(70_000))).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  expect(written).toEqual([]);
});
