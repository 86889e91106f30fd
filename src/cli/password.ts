/** A password, from a pipe or from a person, who does not see it. It never stands in a flag, where `ps` would show it. */
import { BootwrightError } from "../base/errors.ts";

const MOST = 64 * 1024;

/** All of stdin without the line's end. */
export async function readPasswordFromPipe(): Promise<string> {
  let text = "";
  process.stdin.setEncoding("utf8");
  for await (const chunk of process.stdin) {
    text += chunk;
    if (text.length > MOST) throw new BootwrightError("USAGE", "what stdin gives is too long for a password");
  }
  return text.replace(/\r?\n$/, "");
}

/** Asks on the terminal. Throws the signal's reason at Ctrl-C. */
export async function askPassword(question: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process;
  stdin.setRawMode(true); // Before the question: who types at once would be seen.
  stderr.write(question);
  stdin.setEncoding("utf8");
  stdin.resume();
  try {
    return await new Promise<string>((resolve, reject) => {
      let typed = "";
      const aborted = () => reject(signal.reason);
      signal.addEventListener("abort", aborted, { once: true });
      stdin.on("data", (text: string) => {
        for (const key of text) {
          if (key === "\r" || key === "\n") return resolve(typed);
          if (key === "\u0003" || key === "\u0004") return reject(new BootwrightError("INTERRUPTED", "not logged in"));
          typed = key === "\u007f" || key === "\b" ? typed.slice(0, -1) : typed + key;
        }
      });
    });
  } finally {
    stdin.removeAllListeners("data");
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}
