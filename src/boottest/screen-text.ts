/** What a person would see on a serial terminal: the console's bytes through a terminal emulator. */
import xterm from "@xterm/headless";

/** The lines of an 80x24 terminal (or the given size) that was fed `raw`, without trailing blanks. */
export async function screenText(raw: string, size: { columns?: number; rows?: number } = {}): Promise<string> {
  const terminal = new xterm.Terminal({
    cols: size.columns ?? 80,
    rows: size.rows ?? 24,
    scrollback: 0,
    allowProposedApi: true, // Reading the buffer counts as that.
  });
  try {
    // Only the end of a long log can still be on the screen.
    await new Promise<void>((resolve) => terminal.write(raw.slice(-256 * 1024), resolve));
    const buffer = terminal.buffer.active;
    const lines = Array.from(
      { length: terminal.rows },
      (_, row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? "",
    );
    return lines.join("\n").trimEnd();
  } finally {
    terminal.dispose();
  }
}
