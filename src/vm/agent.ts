/** The host's side of the guest agent: runs commands, several at a time, and gives their output as it comes. */
import { randomBytes } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import { decodeAgentLine, encodeExec, encodeKill, MAX_COMMAND } from "./agent-protocol.ts";
import type { ExecOptions, ExecResult } from "./machine.ts";

interface Running {
  readonly options: ExecOptions;
  readonly stdout: Bounded;
  readonly stderr: Bounded;
  readonly done: PromiseWithResolvers<ExecResult>;
}

export class Agent {
  readonly #running = new Map<string, Running>();
  readonly #write: (line: string) => void;
  #answers = false;
  #ended: Error | undefined;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** The guest's agent has said hello. */
  get answers(): boolean {
    return this.#answers && this.#ended === undefined;
  }

  /** Throws GUEST_EXEC_FAILED on timeout, the signal's reason, or the machine's end. */
  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    if (this.#ended !== undefined) throw this.#ended;
    options.signal?.throwIfAborted();
    if (Buffer.byteLength(command) > MAX_COMMAND)
      throw new BootwrightError("LIMIT_EXCEEDED", `a guest command holds at most ${MAX_COMMAND} bytes`);
    // Random, so that a late answer to a command of an earlier run (a guest that was reset) finds nobody.
    const id = randomBytes(6).toString("hex");
    const limit = options.maxOutput ?? 8 * 1024 * 1024;
    const running: Running = {
      options,
      stdout: new Bounded(limit),
      stderr: new Bounded(limit),
      done: Promise.withResolvers<ExecResult>(),
    };
    this.#running.set(id, running);
    const giveUp = (error: unknown) => {
      if (this.#ended === undefined) this.#write(encodeKill(id));
      running.done.reject(error);
    };
    const timeout = options.timeout ?? 60_000;
    const timer = setTimeout(() => giveUp(timedOut(command, timeout, running)), timeout);
    const abort = () => giveUp(options.signal?.reason);
    options.signal?.addEventListener("abort", abort, { once: true });
    this.#write(encodeExec(id, command));
    try {
      return await running.done.promise;
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", abort);
      this.#running.delete(id);
    }
  }

  /** One line from the guest; what is no message, or answers no command of ours, is ignored. */
  receive(line: string): void {
    const message = decodeAgentLine(line);
    if (message === undefined) return;
    if (message.type === "hello") {
      this.#hello();
      return;
    }
    const running = this.#running.get(message.id);
    if (running === undefined) return;
    if (message.type === "exit") {
      const { stdout, stderr } = running;
      running.done.resolve({
        exit: message.code,
        stdout: stdout.text(),
        stderr: stderr.text(),
        truncated: stdout.truncated || stderr.truncated,
      });
    } else {
      const stream = message.type === "out" ? "stdout" : "stderr";
      running[stream].add(message.data);
      running.options.onOutput?.(message.data, stream);
    }
  }

  /** The guest is going down or gone: nothing will answer any more. */
  end(why: Error): void {
    this.#ended ??= why;
    for (const { done } of this.#running.values()) done.reject(why);
    this.#running.clear();
  }

  #hello(): void {
    // A second hello: the guest was reset, or its agent restarted. What ran before is gone.
    if (this.#answers) {
      const why = new BootwrightError("GUEST_EXEC_FAILED", "the guest's agent restarted while the command ran");
      for (const { done } of this.#running.values()) done.reject(why);
      this.#running.clear();
    }
    this.#answers = true;
  }
}

function timedOut(command: string, timeout: number, running: Running): BootwrightError {
  const output = [running.stdout.text(), running.stderr.text()].join("\n").trim();
  return new BootwrightError("GUEST_EXEC_FAILED", `${oneLine(command)} did not end within ${timeout / 1000} s`, {
    hint: "give machine.exec() a longer timeout",
    ...(output === "" ? {} : { detail: output.split("\n").slice(-20).join("\n") }),
  });
}

const oneLine = (command: string): string => {
  const line = command.split("\n")[0]!;
  return `\`${line.length > 80 ? `${line.slice(0, 79)}…` : line}\``;
};

/** Keeps the first bytes; counts the rest. */
class Bounded {
  readonly #limit: number;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  truncated = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    const room = this.#limit - this.#size;
    if (chunk.length > room) this.truncated = true;
    if (room <= 0) return;
    this.#chunks.push(chunk.subarray(0, room));
    this.#size += Math.min(chunk.length, room);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
