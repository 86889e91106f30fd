import { expect, test } from "vitest";
import { screenText } from "./screen-text.ts";

test("shows what a terminal shows, not what was sent", async () => {
  const raw = "old\r\n\u001b[2J\u001b[H\u001b[1mmenu\u001b[0m\r\n  1) one\r\nx\rtyped\u001b[3;1H";
  expect(await screenText(raw)).toBe("menu\n  1) one\ntyped");
});

test("scrolls and wraps", async () => {
  expect(await screenText("a\r\nb\r\nc", { rows: 2 })).toBe("b\nc");
  expect(await screenText("abcdef", { columns: 3 })).toBe("abc\ndef");
});
