import { expect, test } from "vitest";
import { keysForCharacter, keysForChord } from "./keys.ts";

test("characters of a US keyboard", () => {
  expect([..."aZ0 \n|_"].map(keysForCharacter)).toEqual([
    ["a"],
    ["shift", "z"],
    ["0"],
    ["spc"],
    ["ret"],
    ["shift", "backslash"],
    ["shift", "minus"],
  ]);
  for (let code = 32; code < 127; code++) keysForCharacter(String.fromCharCode(code));
  expect(() => keysForCharacter("ü")).toThrow('no key for "ü"');
});

test("chords", () => {
  expect(keysForChord("Ctrl-Alt-F2")).toEqual(["ctrl", "alt", "f2"]);
  expect(keysForChord("enter")).toEqual(["ret"]);
  expect(() => keysForChord("")).toThrow("is not a key");
  expect(() => keysForChord("ctrl-")).toThrow("is not a key");
});
