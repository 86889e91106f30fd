/** Flags that every command takes. */
import type { Flags } from "./command.ts";

export const GLOBAL_FLAGS = {
  config: {
    type: "string",
    short: "c",
    value: "FILE",
    summary: "config file (default: searched for upwards)",
    env: true,
    complete: "file",
  },
  cwd: {
    type: "string",
    short: "C",
    value: "DIR",
    summary: "work as if started in this directory",
    complete: "directory",
  },
  profile: {
    type: "list",
    value: "NAME",
    summary: "apply a profile of the config; may be repeated",
    env: true,
    complete: "profile",
  },
  json: { type: "boolean", summary: "print one JSON document on stdout" },
  progress: {
    type: "string",
    value: "KIND",
    choices: ["auto", "tty", "plain", "json", "quiet"],
    summary: "how progress is shown on stderr",
    env: true,
  },
  color: { type: "boolean", summary: "colour the output (default: when it is a terminal)", env: true },
  quiet: { type: "boolean", short: "q", summary: "print only the essential result, and no progress", env: true },
  debug: { type: "optional", value: "SCOPE", summary: "show programs' output, processes and stacks", env: true },
  offline: { type: "boolean", summary: "fetch nothing; fail when a byte is missing", env: true },
  frozen: { type: "boolean", summary: "fail when the lock would change", env: true },
  input: { type: "boolean", summary: "ask questions where needed; --no-input never does", env: true },
  jobs: {
    type: "integer",
    short: "j",
    value: "N",
    summary: "stages at once (default: what the machine has)",
    env: true,
  },
  store: { type: "string", value: "DIR", summary: "the store's directory", env: true, complete: "directory" },
  version: { type: "boolean", short: "v", summary: "print the version" },
  help: { type: "boolean", short: "h", summary: "show help" },
} as const satisfies Flags;
