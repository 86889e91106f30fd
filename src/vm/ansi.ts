/** Terminal escapes out of guest text: what is left is what a person would read in a log. */

// CSI (parameters, intermediates, final), OSC up to BEL or ST, DCS/PM/APC/SOS strings, and two-byte escapes (ECMA-48).
// An unfinished CSI or OSC at the end of the text is taken too, with a bound, so that a hostile guest cannot hide a page.
const ESCAPES =
  /\u001b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]?|\][^\u0007\u001b\n]{0,4096}(?:\u0007|\u001b\\)?|[PX^_][^\u001b\n]{0,4096}(?:\u001b\\)?|[ -/]{0,4}[0-~])/g;

/** Escapes and control characters removed; `\r\n` and a lone `\r` at a line's end become `\n`. Tabs and newlines stay. */
export const stripAnsi = (text: string): string =>
  text
    .replace(ESCAPES, "")
    .replace(/\r+\n/g, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");

/** One frame of a kernel's stack trace: a panic has dozens after the line that says what is wrong. */
const STACK_FRAME = /^\[ *\d+\.\d+\] +(?:\? )?[\w.]+\+0x[0-9a-f]+\/0x[0-9a-f]+/;

/** The last `count` lines, escapes stripped, each cut at 400 characters, without blank lines and stack frames. */
export function lastLines(text: string, count = 20): string {
  const lines = stripAnsi(text)
    .split("\n")
    .map((line) => line.trimEnd().slice(0, 400))
    .filter((line) => line !== "" && !STACK_FRAME.test(line));
  return lines.slice(-count).join("\n");
}
