/** Which files stay: the last ones of each publication, what a moving name means, and what the caller protects. */
import type { PublishedFile } from "./state.ts";

export interface KeepOptions {
  /** By publication; one that is not here keeps all. */
  readonly keep: Readonly<Record<string, number>>;
  /** SHA-256 of files, or of manifests in a registry, that are in use elsewhere: hex. */
  readonly protectedDigests: ReadonlySet<string>;
  readonly moving: Readonly<Record<string, string>>;
}

/** `files`: newest first. */
export function retain(
  files: readonly PublishedFile[],
  { keep, protectedDigests, moving }: KeepOptions,
): { readonly kept: readonly PublishedFile[]; readonly retired: readonly PublishedFile[] } {
  const meant = new Set(Object.values(moving));
  const seen = new Map<string, number>();
  const stays = (file: PublishedFile): boolean => {
    const before = seen.get(file.publication) ?? 0;
    seen.set(file.publication, before + 1);
    return (
      before < (keep[file.publication] ?? Number.POSITIVE_INFINITY) ||
      meant.has(file.name) ||
      protectedDigests.has(file.sha256) ||
      protectedDigests.has(file.digest)
    );
  };
  const marked = files.map((file) => ({ file, kept: stays(file) }));
  return {
    kept: marked.flatMap(({ file, kept }) => (kept ? [file] : [])),
    retired: marked.flatMap(({ file, kept }) => (kept ? [] : [file])),
  };
}
