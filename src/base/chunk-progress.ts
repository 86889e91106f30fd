/** Passes chunks on and tells, after each, how many bytes have passed: for progress, and for a place to stop at. */
export function* withProgress<C extends Uint8Array>(
  chunks: Iterable<C>,
  onBytes: (done: number) => void,
): Generator<C> {
  let done = 0;
  for (const chunk of chunks) {
    yield chunk;
    done += chunk.length;
    onBytes(done);
  }
}
