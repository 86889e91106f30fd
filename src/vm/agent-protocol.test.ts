import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeAgentLine, encodeExec, encodeKill } from "./agent-protocol.ts";

test("a command is one line, whatever is in it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (command) => {
      const line = encodeExec("a1", command);
      expect(line).toMatch(/^exec a1 [A-Za-z0-9+/=]*\n$/);
      expect(Buffer.from(line.trim().split(" ")[2] ?? "", "base64").toString()).toBe(Buffer.from(command).toString());
    }),
  );
  expect(encodeKill("a1")).toBe("kill a1\n");
});

test("reads what the agent says", () => {
  expect(decodeAgentLine("hello 1")).toEqual({ type: "hello", version: 1 });
  expect(decodeAgentLine("out a1 aGk=")).toEqual({ type: "out", id: "a1", data: Buffer.from("hi") });
  expect(decodeAgentLine("err a1 aGk=")).toEqual({ type: "err", id: "a1", data: Buffer.from("hi") });
  expect(decodeAgentLine("exit a1 127")).toEqual({ type: "exit", id: "a1", code: 127 });
});

test.each([
  "",
  "hello",
  "hello x",
  "hello 1 2",
  "hello 99999",
  "out a1",
  "out a1 aGk",
  "out a1 a=Gk",
  "out a1 aGk= more",
  "out ../x aGk=",
  `out ${"a".repeat(17)} aGk=`,
  "exit a1 256",
  "exit a1 -1",
  "exit a1 1e1",
  "exit A1 1",
  "exec a1 aGk=",
  "[    1.2] kernel message",
  "__proto__ a1 aGk=",
])("no message: %j", (line) => {
  expect(decodeAgentLine(line)).toBeUndefined();
});

test("no line throws", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.constantFrom("", "out ", "exit ", "hello "), (text, start) => {
      decodeAgentLine(start + text);
    }),
  );
});
