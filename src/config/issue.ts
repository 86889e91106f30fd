import type { ConfigPath } from "./path.ts";

/** One mistake in the config, before it is known where in the file it stands. */
export interface ConfigIssue {
  readonly path: ConfigPath;
  readonly message: string;
  /** Mark the key (it is the mistake), the value, or the nearest thing that holds it. */
  readonly mark: "key" | "value" | "parent";
  /** An environment variable is missing: the error's code when nothing else is wrong. */
  readonly missingEnvironment?: boolean;
}
