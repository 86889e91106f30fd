/**
 * A machine that QEMU runs. Everything that it owns is released in one place, `#finish`, however it ends.
 */
import type { Socket } from "node:net";
import { systemClock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import type { Json } from "../base/json.ts";
import { Agent } from "./agent.ts";
import { MAX_AGENT_LINE, PING } from "./agent-protocol.ts";
import { BootWatch, bootFailure, IDLE_LIMITS } from "./boot-watch.ts";
import type { Channels, Connections } from "./channels.ts";
import { Console } from "./console.ts";
import { execOnConsole } from "./console-shell.ts";
import { endOf, type ShutdownCause, sentenceFor } from "./end.ts";
import { EventPort } from "./event-port.ts";
import { keysForCharacter, keysForChord } from "./keys.ts";
import { onLines } from "./lines.ts";
import type { ExecOptions, ExecResult, Machine, MachineEnd, PhaseTime } from "./machine.ts";
import { hasScreen } from "./qemu-args.ts";
import type { QemuProcess } from "./qemu-process.ts";
import { openQmp, type Qmp, type QmpEvent } from "./qmp.ts";
import type { Scratch } from "./scratch.ts";
import { type Screen, screenOf } from "./screen.ts";
import type { Accelerator, MachineOptions, MachineSpec } from "./spec.ts";

/** All that a machine owns. */
export interface Parts {
  readonly spec: MachineSpec;
  readonly options: MachineOptions;
  readonly emit: Emit;
  readonly accelerator: Accelerator;
  readonly scratch: Scratch;
  readonly channels: Channels;
  readonly qemu: QemuProcess;
  readonly connections: Connections;
}

export class QemuMachine implements Machine {
  readonly name: string;
  readonly accelerator: Accelerator;
  readonly console: Console;
  readonly events = new EventPort();
  readonly pid: number;
  readonly #parts: Parts;
  readonly #agent: Agent;
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<MachineEnd>();
  #qmp: Qmp | undefined;
  #screen: Screen | undefined;
  #watch: BootWatch | undefined;
  #cause: ShutdownCause = {};
  #bootedIn: number | undefined;
  #agentHello = Promise.withResolvers<void>();
  #onReset: (() => void) | undefined;

  constructor(parts: Parts) {
    const { sockets, console } = parts.connections;
    this.#parts = parts;
    this.name = parts.spec.name;
    this.accelerator = parts.accelerator;
    this.pid = parts.qemu.pid;
    this.console = new Console((bytes) => console.input.write(bytes));
    this.#agent = new Agent((line) => sockets.agent.write(line));
    this.#ready.promise.catch(() => {}); // Who does not await it learns from `ended`.
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get ended(): Promise<MachineEnd> {
    return this.#ended.promise;
  }

  get bootedIn(): number | undefined {
    return this.#bootedIn;
  }

  get phases(): readonly PhaseTime[] {
    return this.#watch?.phases ?? [];
  }

  get screen(): Screen {
    return this.#screen!; // Set before the machine is given out.
  }

  async powerOn(): Promise<void> {
    const { emit, accelerator, options, qemu, scratch, connections, spec } = this.#parts;
    this.#qmp = await openQmp(connections.sockets.qmp, (event) => this.#onQmpEvent(event));
    this.#screen = screenOf(this.#qmp, { scratch: scratch.dir, present: hasScreen(spec) });
    emit({ type: "machine.start", machine: this.name, accelerator: accelerator.name, why: accelerator.why });
    this.#connect();
    this.#watch = this.#watchBoot();
    await this.#qmp.command("cont");
    void qemu.exited.then((exit) => this.#finish(exit));
    if (spec.ready === "started") this.#becomeReady();
    const abort = () => void this.stop();
    options.signal?.addEventListener("abort", abort, { once: true });
    void this.ended.then(() => options.signal?.removeEventListener("abort", abort));
    if (options.signal?.aborted) abort();
  }

  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    await this.ready;
    const via = options.via ?? (this.#agent.answers ? "agent" : "console");
    if (via === "console") return execOnConsole(this.console, command, options);
    await this.#waitForAgent(options.timeout ?? 60_000);
    return this.#agent.exec(command, options);
  }

  type(text: string): void {
    this.console.write(text);
  }

  async press(...chords: readonly string[]): Promise<void> {
    for (const chord of chords) await this.#sendKeys(keysForChord(chord));
  }

  async typeOnKeyboard(text: string): Promise<void> {
    for (const c of text) await this.#sendKeys(keysForCharacter(c));
  }

  async powerdown(timeout = 20_000): Promise<MachineEnd> {
    await this.#qmp!.command("system_powerdown").catch(() => {}); // Already off: `ended` tells.
    const timer = setTimeout(() => void this.stop(), timeout);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }

  async reset(): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.#onReset = resolve;
    });
    // The button must restart the machine also where the guest's own reboot would stop it.
    const action = (reboot: string) => this.#qmp!.command("set-action", { reboot });
    await action("reset");
    await this.#qmp!.command("system_reset");
    await Promise.race([done, this.ended]);
    if (this.#parts.spec.onReboot === "restart") return;
    // SeaBIOS resets a second time by itself, so the guest's own reboot stops the machine only once the guest speaks.
    const forget = this.console.onText(() => {
      forget();
      action("shutdown").catch(() => {}); // Gone meanwhile: `ended` tells.
    });
  }

  async stop(): Promise<MachineEnd> {
    this.#cause = { ...this.#cause, stopped: true };
    await this.#parts.qemu.kill();
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #connect(): void {
    const { connections, emit } = this.#parts;
    const { sockets } = connections;
    connections.console.output.on("data", (chunk: Buffer) => this.console.receive(chunk));
    this.console.onText((text) => emit({ type: "machine.console", machine: this.name, text }));
    onLines(sockets.events, { maxLine: 256 * 1024, onLine: (line) => this.events.receive(line) });
    onLines(sockets.agent, {
      maxLine: MAX_AGENT_LINE,
      onLine: (line) => {
        this.#watch?.sign();
        this.#agent.receive(line);
        if (this.#agent.answers) this.#agentHello.resolve();
      },
    });
    this.events.onEvent(({ event }) => {
      this.#watch?.sign();
      if (event === "ready" && !(this.#parts.spec.ready instanceof RegExp)) this.#becomeReady();
    });
  }

  #watchBoot(): BootWatch {
    const { spec, options, emit, accelerator } = this.#parts;
    return new BootWatch(this.console, {
      restarts: spec.onReboot === "restart",
      clock: systemClock,
      name: this.name,
      idle: { ...IDLE_LIMITS[accelerator.name], ...options.idle },
      from: spec.boot.kind === "uefi" ? "firmware" : "kernel",
      readyPattern: spec.ready instanceof RegExp ? spec.ready : undefined,
      onPhase: ({ phase, ms }) => {
        emit({ type: "machine.phase", machine: this.name, phase, ms });
        if (phase !== "ready") return;
        this.#bootedIn = ms;
        this.#ready.resolve();
      },
      onFailure: (error) => {
        this.#ready.reject(error);
        this.#endGuest(error);
      },
    });
  }

  #becomeReady(): void {
    this.#watch?.ready();
  }

  async #waitForAgent(timeout: number): Promise<void> {
    if (this.#agent.answers) return;
    this.#parts.connections.sockets.agent.write(PING);
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        reject(
          new BootwrightError("GUEST_EXEC_FAILED", `the guest's agent did not answer within ${timeout / 1000} s`, {
            hint: "the image must start /usr/lib/bootwright/agent, and load the virtio_console driver before",
          }),
        ),
      timeout,
    );
    try {
      await Promise.race([this.#agentHello.promise, promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #sendKeys(codes: readonly string[]): Promise<Json> {
    return this.#qmp!.command("send-key", { keys: codes.map((data) => ({ type: "qcode", data })), "hold-time": 20 });
  }

  #onQmpEvent({ event, data }: QmpEvent): void {
    if (event === "SHUTDOWN") this.#cause = { ...this.#cause, shutdown: String(data.reason) };
    else if (event === "GUEST_PANICKED") this.#cause = { ...this.#cause, panicked: true };
    else if (event === "RESET") this.#onReset?.();
    else if (event === "STOP") void this.#checkCpu();
  }

  /** A virtual CPU that cannot go on stops the machine without an exit: said at once instead of by timeout. */
  async #checkCpu(): Promise<void> {
    const status = await this.#qmp?.command("query-status").catch(() => null);
    const state = typeof status === "object" && status !== null && "status" in status ? status.status : undefined;
    if (state !== "internal-error") return;
    this.#cause = { ...this.#cause, internalError: true };
    await this.#parts.qemu.kill();
  }

  /** Whoever waits for the guest waits no longer. */
  #endGuest(error: Error): void {
    this.console.end(error);
    this.events.end(error);
    this.#agent.end(error);
  }

  async #finish(exit: number | null): Promise<void> {
    const { connections, channels, scratch, qemu } = this.#parts;
    await drained(connections.console.output);
    this.#watch!.stop();
    const ms = this.#watch!.sinceStart;
    const end = endOf({ ...this.#cause, exit }, { ms, consoleText: this.console.raw, lastWords: qemu.lastWords() });
    channels.close();
    scratch.remove();
    this.#ready.reject(endError(this.name, end, this.console));
    this.#endGuest(
      new BootwrightError(
        end.reason === "failed" ? "MACHINE_FAILED" : "GUEST_GONE",
        `${this.name} ${sentenceFor(end)}`,
        {
          detail: this.console.lastLines(),
        },
      ),
    );
    this.#parts.emit({ type: "machine.end", machine: this.name, reason: end.reason, ms });
    this.#ended.resolve(end);
  }
}

function endError(name: string, end: MachineEnd, console: Console): BootwrightError {
  if (end.reason === "failed")
    return new BootwrightError("MACHINE_FAILED", `${name} ${sentenceFor(end)}`, {
      ...(end.detail === undefined ? {} : { detail: end.detail }),
    });
  return bootFailure(name, console, { ended: sentenceFor(end) });
}

/** The guest's last words are still in the pipe when QEMU has ended. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed || socket.readableEnded) return resolve();
    socket.once("close", resolve);
    socket.once("end", resolve);
    setTimeout(resolve, 500).unref();
  });
}
