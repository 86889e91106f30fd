/** The terminal is a value: tests render at 80×24 without colour, and no reporter asks the process for anything. */
export interface TextStream {
  write(text: string): void;
}

export interface Screen {
  /** Of stderr, where progress goes. */
  readonly isTTY: boolean;
  /** Functions, because a window can be resized while we draw. */
  readonly columns: () => number;
  readonly rows: () => number;
  readonly colors: boolean;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Guest output goes to a terminal as it is, elsewhere as plain text. */
  readonly stdoutIsTTY: boolean;
}

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

export type Style = keyof typeof CODES;

export const paint = (screen: Pick<Screen, "colors">, style: Style, text: string): string =>
  screen.colors && text !== "" ? `\u001b[${CODES[style][0]}m${text}\u001b[${CODES[style][1]}m` : text;

/** What a reader sees of `text`, cut to `columns`. For lines without colour codes. */
export const cut = (text: string, columns: number): string =>
  text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
