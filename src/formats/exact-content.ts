/** A file's content for a writer that has already laid out its size: other bytes than promised would damage the image. */
import type { FileContent, ReadContent } from "./filetree.ts";

/** `what` is named when `read` does not deliver the content's size: "ext4: etc/passwd". */
export function* exactContent(
  content: FileContent,
  { read, what }: { read: ReadContent; what: string },
): Generator<Uint8Array> {
  let written = 0;
  for (const chunk of read(content)) {
    written += chunk.length;
    if (written > content.size) break;
    yield chunk;
  }
  if (written !== content.size)
    throw new Error(`${what}: wrote ${written} of ${content.size} bytes; the image is damaged`);
}
