/** The reporter that fits the flags and the place: loaded only when it is used. */
import { BootwrightError } from "../base/errors.ts";
import type { Reporter } from "./reporter.ts";
import type { Screen } from "./screen.ts";

export interface ReporterChoice {
  readonly progress: "auto" | "tty" | "plain" | "json" | "quiet";
  /** A CI system runs us: no cursor codes. */
  readonly ci: boolean;
  /** It is GitHub's: groups and annotations. */
  readonly github: boolean;
  /** Show what programs print, and each process. */
  readonly debug: boolean;
}

/** Throws USAGE for `tty` without a terminal. */
export async function createReporter(screen: Screen, choice: ReporterChoice): Promise<Reporter> {
  if (choice.progress === "tty" && !screen.isTTY)
    throw new BootwrightError("USAGE", "--progress=tty needs a terminal on stderr", { hint: "--progress=plain" });
  const automatic = screen.isTTY && !choice.ci ? "tty" : "plain";
  switch (choice.progress === "auto" ? automatic : choice.progress) {
    case "quiet":
      return (await import("./quiet.ts")).quietReporter(screen);
    case "json":
      return (await import("./json.ts")).jsonReporter(screen);
    case "tty":
      return (await import("./tty.ts")).ttyReporter(screen, { debug: choice.debug });
    default:
      if (choice.github) return (await import("./github.ts")).githubReporter(screen, choice);
      return (await import("./plain.ts")).plainReporter(screen, choice);
  }
}
