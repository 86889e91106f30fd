/** Opens the store, and the project if there is one here: `inspect` and `diff` also work on plain files anywhere. */
import { hasCode } from "../base/errors.ts";
import { findConfig } from "../config/find.ts";
import { Store } from "../store/store.ts";
import type { RefContext } from "./artifact-ref.ts";
import type { Session } from "./session.ts";

export async function withRefs<T>(session: Session, body: (context: RefContext) => Promise<T>): Promise<T> {
  const store = new Store(session.storeDir, { readonly: true });
  try {
    return await body({ store, cwd: session.cwd, project: projectHere(session) });
  } finally {
    store.close();
  }
}

/** Its config, or undefined when there is none here. */
export function projectHere(session: Session): string | undefined {
  try {
    return findConfig(session.cwd, session.configFile);
  } catch (error) {
    if (hasCode(error, "CONFIG_NOT_FOUND") && session.configFile === undefined) return undefined;
    throw error;
  }
}
