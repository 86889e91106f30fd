/**
 * What libraries say while they work. They never print: reporters turn events into text. The same events, one JSON
 * object a line, are `--progress=json`, so fields are only ever added.
 */

export type BuildEvent =
  /** `names`: of all stages, so that a table of them can be laid out before the first line. */
  | { readonly type: "build.start"; readonly stages: number; readonly names?: readonly string[] }
  | { readonly type: "build.done"; readonly ran: number; readonly cached: number; readonly ms: number }
  | { readonly type: "stage.waiting"; readonly stage: string; readonly on: readonly string[] }
  | { readonly type: "stage.start"; readonly stage: string; readonly key: string; readonly reason: string }
  | {
      readonly type: "stage.progress";
      readonly stage: string;
      readonly done: number;
      readonly total?: number;
      readonly unit: "bytes" | "files" | "steps";
      readonly what?: string;
    }
  | { readonly type: "stage.output"; readonly stage: string; readonly line: string }
  | {
      readonly type: "stage.done";
      readonly stage: string;
      readonly key: string;
      readonly ms: number;
      readonly bytes: number;
      readonly digest: string;
    }
  | {
      readonly type: "stage.cached";
      readonly stage: string;
      readonly key: string;
      readonly bytes: number;
      readonly digest: string;
    }
  | { readonly type: "stage.failed"; readonly stage: string; readonly ms: number; readonly message: string }
  | { readonly type: "process.start"; readonly argv: readonly string[]; readonly pid: number }
  | {
      readonly type: "process.end";
      readonly pid: number;
      readonly exit: number | null;
      readonly signal: string | null;
      readonly ms: number;
    }
  | {
      readonly type: "retry";
      readonly what: string;
      readonly attempt: number;
      readonly reason: string;
      readonly waitMs: number;
    }
  | { readonly type: "note"; readonly text: string }
  | { readonly type: "warning"; readonly text: string }
  | { readonly type: "machine.start"; readonly machine: string; readonly accelerator: string; readonly why: string }
  | { readonly type: "machine.phase"; readonly machine: string; readonly phase: string; readonly ms: number }
  | { readonly type: "machine.console"; readonly machine: string; readonly text: string }
  | { readonly type: "machine.end"; readonly machine: string; readonly reason: string; readonly ms: number }
  | { readonly type: "test.start"; readonly file: string; readonly test: string }
  | {
      readonly type: "test.done";
      readonly file: string;
      readonly test: string;
      readonly status: "passed" | "failed" | "skipped";
      readonly ms: number;
      readonly message?: string;
      readonly attachments?: readonly string[];
    };

export type Emit = (event: BuildEvent) => void;

/** For callers that do not listen. */
export const silent: Emit = () => {};
