/** Characters and chords as QEMU key codes (`QKeyCode` in QEMU's qapi/ui.json), for a US keyboard. */
import { BootwrightError } from "../base/errors.ts";

const SHIFTED = new Map(
  Object.entries({
    "!": "1",
    "@": "2",
    "#": "3",
    $: "4",
    "%": "5",
    "^": "6",
    "&": "7",
    "*": "8",
    "(": "9",
    ")": "0",
    _: "minus",
    "+": "equal",
    "{": "bracket_left",
    "}": "bracket_right",
    "|": "backslash",
    ":": "semicolon",
    '"': "apostrophe",
    "~": "grave_accent",
    "<": "comma",
    ">": "dot",
    "?": "slash",
  }),
);
const PLAIN = new Map(
  Object.entries({
    "\n": "ret",
    "\t": "tab",
    " ": "spc",
    "\b": "backspace",
    "\u001b": "esc",
    "-": "minus",
    "=": "equal",
    "[": "bracket_left",
    "]": "bracket_right",
    "\\": "backslash",
    ";": "semicolon",
    "'": "apostrophe",
    "`": "grave_accent",
    ",": "comma",
    ".": "dot",
    "/": "slash",
  }),
);

/** The key codes to press together for one character. Throws USAGE when a US keyboard has no such key. */
export function keysForCharacter(c: string): readonly string[] {
  if (/^[a-z0-9]$/.test(c)) return [c];
  if (/^[A-Z]$/.test(c)) return ["shift", c.toLowerCase()];
  const plain = PLAIN.get(c);
  if (plain !== undefined) return [plain];
  const shifted = SHIFTED.get(c);
  if (shifted !== undefined) return ["shift", shifted];
  throw new BootwrightError("USAGE", `a US keyboard has no key for "${c}"`, {
    hint: "type it on the serial console with machine.type()",
  });
}

/** `"ctrl-alt-f2"` → `["ctrl", "alt", "f2"]`. Throws USAGE for an empty chord. */
export function keysForChord(chord: string): readonly string[] {
  const keys = chord
    .toLowerCase()
    .split("-")
    .map((key) => ALIASES.get(key) ?? key);
  if (keys.some((key) => !/^[a-z0-9_]+$/.test(key))) throw new BootwrightError("USAGE", `"${chord}" is not a key`);
  return keys;
}

const ALIASES = new Map([
  ["enter", "ret"],
  ["return", "ret"],
  ["space", "spc"],
  ["escape", "esc"],
  ["control", "ctrl"],
  ["del", "delete"],
]);
