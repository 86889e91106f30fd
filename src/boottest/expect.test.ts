import { expect, test } from "vitest";
import { expect as bootExpect, ExpectationError } from "./expect.ts";

function messageOf(act: () => void): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(ExpectationError);
    return (error as Error).message;
  }
  throw new Error("the expectation held");
}

test("what holds says nothing", () => {
  bootExpect(1).toBe(1);
  bootExpect({ a: [1] }).toEqual({ a: [1] });
  bootExpect("abc").toContain("b");
  bootExpect([{ a: 1 }]).toContain({ a: 1 });
  bootExpect("abc").toMatch("b");
  bootExpect("abc").toMatch(/^a/g);
  bootExpect(1).toBeTruthy();
  bootExpect(0).toBeFalsy();
  bootExpect(undefined).toBeUndefined();
  bootExpect(2).toBeGreaterThan(1);
  bootExpect(1).toBeLessThan(2);
  bootExpect(1).not.toBe(2);
  bootExpect("abc").not.toMatch(/x/);
  bootExpect(1).not.not.toBe(1);
});

test("messages show both sides", () => {
  expect(messageOf(() => bootExpect(1).toBe(2))).toBe(
    "expected the value to be the same\n  expected: 2\n  received: 1",
  );
  expect(messageOf(() => bootExpect("x").not.toContain("x"))).toBe(
    "expected the value not to contain\n  expected: 'x'\n  received: 'x'",
  );
  expect(messageOf(() => bootExpect(0).toBeTruthy())).toBe("expected the value to be truthy\n  received: 0");
  expect(messageOf(() => bootExpect("one\ntwo").toMatch(/three/))).toBe(
    "expected the value to match\n  expected: /three/\n  received: \n    | one\n    | two",
  );
});

test("a value of the wrong kind never passes, negated neither", () => {
  const text: unknown = "7";
  expect(messageOf(() => bootExpect(text).not.toBeGreaterThan(1))).toContain("expected a number");
  expect(messageOf(() => bootExpect(7).not.toMatch("x"))).toContain("expected a text");
});

test("long output is cut", () => {
  const lines = Array.from({ length: 500 }, (_, i) => `line ${i}`).join("\n");
  expect(messageOf(() => bootExpect(lines).toBe("")).length).toBeLessThan(1000);
});

test("a screen is compared only inside a boot test", async () => {
  const screen = { png: async () => Buffer.alloc(0), still: async () => Buffer.alloc(0) };
  await expect(bootExpect(screen).toMatch("x.png")).rejects.toMatchObject({ code: "USAGE" });
});
