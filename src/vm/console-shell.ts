/**
 * Runs a command in whatever shell sits on the serial console, between two marks. For guests without the agent. One
 * stream only, and kernel messages may fall into it: the agent is better where there is one.
 */
import { randomBytes } from "node:crypto";
import { systemClock } from "../base/clock.ts";
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { Console } from "./console.ts";
import type { ExecOptions, ExecResult } from "./machine.ts";

/** A terminal in canonical mode takes 4095 bytes a line (n_tty's N_TTY_BUF_SIZE). */
const MAX_TYPED = 4000;

/** How long a shell may take to answer before it is asked again. */
const ANSWER_TIME = 2000;

/** Throws GUEST_EXEC_FAILED when no shell answers in time, LIMIT_EXCEEDED for a command too long to type. */
export async function execOnConsole(console: Console, command: string, options: ExecOptions = {}): Promise<ExecResult> {
  options.signal?.throwIfAborted();
  const mark = `BW_${randomBytes(6).toString("hex")}`;
  const line = typedLine(command, mark);
  if (line.length > MAX_TYPED)
    throw new BootwrightError("LIMIT_EXCEEDED", `a command typed on the console holds at most ${MAX_TYPED} bytes`, {
      hint: "start the guest agent, or put the script into a file of the image",
    });
  const timeout = options.timeout ?? 60_000;
  const until = systemClock.elapsed() + timeout;
  const left = () => Math.max(0, until - systemClock.elapsed());
  let began = false;
  try {
    await awaitShell(console, { left });
    began = true;
    console.write(line);
    const match = await console.waitFor(resultPattern(mark), { timeout: left() });
    const limit = options.maxOutput ?? 8 * 1024 * 1024;
    const stdout = match[1]!;
    options.onOutput?.(Buffer.from(stdout), "stdout");
    return {
      exit: Number(match[2]),
      stdout: stdout.slice(0, limit),
      stderr: "",
      truncated: stdout.length > limit,
    };
  } catch (error) {
    if (!hasCode(error, "GUEST_TIMEOUT")) throw error;
    console.write("\u0003"); // Ctrl-C: the next command finds a shell again.
    throw new BootwrightError(
      "GUEST_EXEC_FAILED",
      began
        ? `the command did not end within ${timeout / 1000} s`
        : `no shell answered on the serial console within ${timeout / 1000} s`,
      { detail: console.lastLines(), hint: "log in first with machine.type(), or start the guest agent", cause: error },
    );
  }
}

/** What is typed while a shell still starts may be lost, also in part: so it is asked until it answers. */
async function awaitShell(console: Console, { left }: { left: () => number }): Promise<void> {
  for (;;) {
    const mark = `BW_${randomBytes(6).toString("hex")}`;
    console.write(`echo '${mark.slice(0, 6)}''${mark.slice(6)}'\n`);
    try {
      await console.waitFor(new RegExp(`(?:^|\\n)${mark}\\n`), { timeout: Math.min(ANSWER_TIME, left()) });
      return;
    } catch (error) {
      if (!hasCode(error, "GUEST_TIMEOUT") || left() === 0) throw error;
      console.write("\u0003"); // A torn line may have left a quote open.
    }
  }
}

/** The marks are typed in two halves, so that the terminal's echo of this line does not look like the result. */
function typedLine(command: string, mark: string): string {
  const [head, tail] = [mark.slice(0, 6), mark.slice(6)];
  // No newline or control character is typed as itself (a terminal would act on it): printf makes them in the guest.
  const quoted = /[\u0000-\u001f\u007f]/.test(command)
    ? `"$(printf '%b' ${quote(escapeControls(command))})"`
    : quote(command);
  return `echo; echo '${head}''${tail}:begin'; (eval ${quoted}) 2>&1; echo '${head}''${tail}:end:'$?\n`;
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const escapeControls = (text: string): string =>
  text.replace(
    /[\\\u0000-\u001f\u007f]/g,
    (c) => `\\0${c.charCodeAt(0).toString(8).padStart(3, "0")}`, // `%b` of POSIX printf: \0ooo
  );

const resultPattern = (mark: string): RegExp => new RegExp(`(?:^|\\n)${mark}:begin\\n([^]*?)${mark}:end:(\\d{1,3})\\n`);
