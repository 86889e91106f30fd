/** The only door to time, so that a test can set it and no output can depend on it by accident. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Monotonic milliseconds, for durations. */
  elapsed(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  // Not `performance`: its first use loads what takes as long as a dozen stages that are cached.
  elapsed: () => Number(process.hrtime.bigint()) / 1e6,
  sleep,
};

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Seconds since the epoch that outputs carry where a format demands a time (SOURCE_DATE_EPOCH of reproducible-builds.org). */
export const DEFAULT_EPOCH = 315_532_800; // 1980-01-01T00:00:00Z: the first time that FAT can write
