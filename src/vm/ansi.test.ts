import fc from "fast-check";
import { expect, test } from "vitest";
import { lastLines, stripAnsi } from "./ansi.ts";

test.each([
  ["\u001b[31mred\u001b[0m", "red"],
  ["\u001b[2J\u001b[01;01H\u001b[=3hmenu", "menu"],
  ["a\r\nb\r\r\nc", "a\nb\nc"],
  ["\u001b]0;title\u0007text", "text"],
  ["\u001b]0;title\u001b\\text", "text"],
  ["\u001bP1;2q~~\u001b\\after", "after"],
  ["bell\u0007 back\u0008space\ttab", "bell backspace\ttab"],
  ["\u001b(Bplain \u001b7saved\u001b8", "plain saved"],
])("%j reads %j", (raw, text) => {
  expect(stripAnsi(raw)).toBe(text);
});

test("whatever a guest writes, no control character but tab and newline is left", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(stripAnsi(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    }),
  );
});

test("an escape that never ends hides no more than its own line", () => {
  expect(stripAnsi("\u001b]0;no end\nKernel panic")).toContain("Kernel panic");
});

test("a long run of escapes takes time in proportion", () => {
  // Quadratic, this would take longer than the runner waits.
  expect(stripAnsi("\u001b[".repeat(500_000) + "\u001b]".repeat(500_000))).toBe("");
});

test("the last lines skip blanks and stack frames, and are cut", () => {
  const log = [
    "[    1.0] Kernel panic - not syncing: no",
    "",
    "[    1.203075]  dump_stack_lvl+0x44/0x5c",
    "[    1.203241]  ? rest_init+0xd0/0xd0",
    "x".repeat(1000),
  ];
  expect(lastLines(log.join("\r\n"))).toBe(`[    1.0] Kernel panic - not syncing: no\n${"x".repeat(400)}`);
  expect(lastLines("a\nb\nc", 2)).toBe("b\nc");
});
