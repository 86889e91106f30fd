/** Where content may be copied to and from, by what people call it. */
import fs from "node:fs";
import path from "node:path";
import type { ContentSource } from "../oci/content.ts";
import { openLayoutSource } from "../oci/layout-content.ts";
import { type LayoutTarget, layoutArchive, layoutDirectory } from "../oci/layout-writer.ts";
import type { Document } from "../oci/manifests.ts";
import { formatReference, type Location } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import { openRepository } from "../oci/repository.ts";
import type { Session } from "./session.ts";

/** A name that ends in `.tar` is a tar, any other a directory. */
export const layoutTargetAt = (file: string, archive?: boolean): LayoutTarget | Promise<LayoutTarget> =>
  (archive ?? (file.endsWith(".tar") && !isDirectory(file))) ? layoutArchive(file) : layoutDirectory(file);

export interface Opened {
  readonly document: Document;
  readonly source: ContentSource;
  readonly label: string;
  /** Where it is in a registry. */
  readonly registry?: Registry;
}

/** Throws REGISTRY_UNKNOWN, NAME_UNKNOWN, PATH_MISSING, FORMAT_INVALID. */
export async function openLocation(
  session: Session,
  { location, open }: { location: Location; open: (host: string) => Registry },
): Promise<Opened> {
  if (location.type === "layout") {
    const source = openLayoutSource(location.path, path.resolve(session.cwd, location.path));
    return { document: source.resolve(location.tag), source, label: location.path };
  }
  const { reference } = location;
  const registry = open(reference.host);
  const source = openRepository(registry, reference);
  return { document: await source.resolve(reference), source, label: formatReference(reference), registry };
}

const isDirectory = (file: string): boolean => fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
