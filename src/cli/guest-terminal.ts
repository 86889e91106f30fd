/** The person's terminal, lent to a guest's serial console. Ctrl-A x leaves, as in QEMU; Ctrl-A Ctrl-A types one Ctrl-A. */
import type { GuestTerminal } from "../api/boot.ts";

const CTRL_A = 0x01;

export interface GuestTerminalOptions {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** --json: stdout holds the document alone. */
  readonly quiet: boolean;
}

export function guestTerminal({ stdin, stdout, stderr, quiet }: GuestTerminalOptions): GuestTerminal {
  return {
    output: (chunk, stream) => void (quiet ? true : (stream === "stdout" ? stdout : stderr).write(chunk)),
    ...(stdin.isTTY && {
      listen: (onKeys: (keys: Buffer) => void, onQuit: () => void) => listen(stdin, { onKeys, onQuit }),
    }),
  };
}

function listen(
  stdin: NodeJS.ReadStream,
  { onKeys, onQuit }: { onKeys: (keys: Buffer) => void; onQuit: () => void },
): () => void {
  let escaped = false;
  const onData = (bytes: Buffer) => {
    const out: number[] = [];
    for (const byte of bytes) {
      if (escaped) {
        escaped = false;
        if (byte === 0x78) return onQuit();
        if (byte === CTRL_A) out.push(byte);
      } else if (byte === CTRL_A) escaped = true;
      else out.push(byte);
    }
    if (out.length > 0) onKeys(Buffer.from(out));
    return undefined;
  };
  stdin.setRawMode(true);
  stdin.on("data", onData);
  stdin.resume();
  return () => {
    stdin.off("data", onData);
    stdin.setRawMode(false);
    stdin.pause();
  };
}
