/** The one command table. A command's file is loaded only when the command is used. */
import type { Command } from "./command.ts";

export interface TableEntry {
  readonly name: string;
  readonly summary: string;
  /** The first help screen shows the common ones. */
  readonly common: boolean;
  readonly load: () => Promise<Command>;
}

export const COMMANDS: readonly TableEntry[] = [
  entry("init", "make a new project", async () => (await import("./commands/init.ts")).init, true),
  entry("build", "build images into out/", async () => (await import("./commands/build.ts")).build, true),
  entry("boot", "boot an image in a virtual machine", async () => (await import("./commands/boot.ts")).boot, true),
  entry("dev", "watch, rebuild and reboot", async () => (await import("./commands/dev.ts")).dev, true),
  entry("test", "run boot tests", async () => (await import("./commands/test.ts")).test, true),
  entry("plan", "show what a build would do", async () => (await import("./commands/plan.ts")).plan, true),
  entry(
    "explain",
    "say why a stage ran, or what a code means",
    async () => (await import("./commands/explain.ts")).explain,
    true,
  ),
  entry("config", "show the resolved config", async () => (await import("./commands/config.ts")).config, true),
  entry("doctor", "check this machine, and fix it", async () => (await import("./commands/doctor.ts")).doctor, true),
  entry("inspect", "show what an artifact holds", async () => (await import("./commands/inspect.ts")).inspect),
  entry("diff", "compare two artifacts", async () => (await import("./commands/diff.ts")).diff),
  entry(
    "verify",
    "check an image's signatures, root hashes and tables",
    async () => (await import("./commands/verify.ts")).verify,
  ),
  entry("update", "pin newer sources", async () => (await import("./commands/update.ts")).update),
  entry("publish", "publish images and kernels", async () => (await import("./commands/publish.ts")).publish),
  entry("published", "list what a place has", async () => (await import("./commands/published.ts")).published),
  entry("kernel", "list, pull, import and publish kernels", async () => (await import("./commands/kernel.ts")).kernel),
  entry("catalog", "carry catalogs across an air gap", async () => (await import("./commands/catalog.ts")).catalog),
  entry("oci", "push, pull and copy in registries", async () => (await import("./commands/oci.ts")).oci),
  entry("release", "make and show a platform's releases", async () => (await import("./commands/release.ts")).release),
  entry("promote", "let a release run in an environment", async () => (await import("./commands/promote.ts")).promote),
  entry("approve", "approve a release for an environment", async () => (await import("./commands/approve.ts")).approve),
  entry(
    "rollback",
    "go back to what ran in an environment",
    async () => (await import("./commands/rollback.ts")).rollback,
  ),
  entry("pull", "fetch what runs in an environment", async () => (await import("./commands/pull.ts")).pull),
  entry("status", "show what runs where, and what is next", async () => (await import("./commands/status.ts")).status),
  entry("history", "show all that was released", async () => (await import("./commands/history.ts")).history),
  entry("keys", "make keys, and what firmware enrols", async () => (await import("./commands/keys.ts")).keys),
  entry("sign", "answer a signing request", async () => (await import("./commands/sign.ts")).sign),
  entry("attach", "take signatures into the project", async () => (await import("./commands/attach.ts")).attach),
  entry(
    "provenance",
    "state how an image was made, and sign that",
    async () => (await import("./commands/provenance.ts")).provenance,
  ),
  entry("ci", "write workflow files, and check them", async () => (await import("./commands/ci.ts")).ci),
  entry("store", "list, verify or clean the store", async () => (await import("./commands/store.ts")).store),
  entry(
    "completion",
    "print a shell's completion script",
    async () => (await import("./commands/completion.ts")).completion,
  ),
  entry("help", "explain a command or a topic", async () => (await import("./commands/help.ts")).help),
  entry("version", "print the version", async () => (await import("./commands/version.ts")).version),
];

export const findCommand = (name: string): TableEntry | undefined => COMMANDS.find((one) => one.name === name);

function entry(name: string, summary: string, load: () => Promise<Command>, common = false): TableEntry {
  return { name, summary, load, common };
}
