/**
 * Programs that keep passwords (`docker-credential-NAME`): the host's name goes in by stdin, JSON comes out. Secrets pass
 * through pipes only, and never into an error.
 */
import { BootwrightError, hasCode } from "../base/errors.ts";
import { defaultEnvironment, run } from "../base/process.ts";

export interface HelperCall {
  readonly action: "get" | "store" | "erase";
  readonly host: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input?: { readonly username: string; readonly secret: string };
  readonly signal?: AbortSignal | undefined;
}

/** Undefined when the helper knows nothing of the host. Throws HOST_TOOL_MISSING, PROGRAM_FAILED. */
export async function callHelper(
  name: string,
  { action, host, env, input, signal }: HelperCall,
): Promise<{ username: string; secret: string; isToken: boolean } | undefined> {
  if (!/^[\w.-]+$/.test(name))
    throw new BootwrightError("FORMAT_INVALID", `${JSON.stringify(name)} is no name of a credential helper`);
  const program = `docker-credential-${name}`;
  const stdin =
    input === undefined ? host : JSON.stringify({ ServerURL: host, Username: input.username, Secret: input.secret });
  const given = Object.fromEntries(
    Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  try {
    const { exit, stdout } = await run([program, action], {
      stdin,
      signal,
      env: { ...given, ...defaultEnvironment(), ...(env.HOME !== undefined && { HOME: env.HOME }) },
      accept: action === "get" ? [0, 1] : [0],
      timeout: 60_000,
      maxOutput: 1024 * 1024,
    });
    if (action !== "get") return undefined;
    if (exit === 1) {
      if (/not found/i.test(stdout.toString())) return undefined;
      throw failed(program, action);
    }
    const answer = JSON.parse(stdout.toString()) as { Username?: unknown; Secret?: unknown };
    const { Username: username, Secret: secret } = answer;
    if (typeof username !== "string" || typeof secret !== "string") throw failed(program, action);
    return secret === "" ? undefined : { username, secret, isToken: username === "<token>" };
  } catch (error) {
    signal?.throwIfAborted();
    if (hasCode(error, "HOST_TOOL_MISSING"))
      throw new BootwrightError("HOST_TOOL_MISSING", `the credential helper ${program} is not installed`, {
        hint: "install it, or take it out of the file of credentials (credHelpers, credsStore)",
      });
    throw failed(program, action);
  }
}

/** Without what the helper said, and without a cause: it may hold the secret. */
const failed = (program: string, action: string): BootwrightError =>
  new BootwrightError("PROGRAM_FAILED", `the credential helper ${program} failed to ${action} credentials`, {
    hint: `see what it says: ${program} ${action === "get" ? "get, with the registry's name on stdin" : action}`,
  });
