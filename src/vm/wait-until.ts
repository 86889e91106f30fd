/** Waiting for something that a guest may write: the console's and the events port's `waitFor`. */

export interface WaitUntilOptions<T> {
  /** What is waited for, once it is there. Asked now, and each time that one of `watchers` is called. */
  readonly find: () => T | undefined;
  /** Why nothing more will come, once that is so. */
  readonly ended: () => Error | undefined;
  /** Called by whoever receives from the guest. */
  readonly watchers: Set<() => void>;
  /** Milliseconds. */
  readonly timeout: number;
  readonly late: () => Error;
}

/** Throws what `ended` or, when the time is over, `late` says. */
export async function waitUntil<T>({ find, ended, watchers, timeout, late }: WaitUntilOptions<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const check = () => {
    const found = find();
    const end = ended();
    if (found !== undefined) resolve(found);
    else if (end !== undefined) reject(end);
  };
  const timer = setTimeout(() => reject(late()), timeout);
  watchers.add(check);
  try {
    check();
    return await promise;
  } finally {
    clearTimeout(timer);
    watchers.delete(check);
  }
}
