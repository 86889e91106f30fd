/** A registry's repository, or a layout on this machine, as a place for signatures and statements. */
import fs from "node:fs";
import path from "node:path";
import { hasCode } from "../base/errors.ts";
import type { AttachmentSource } from "../oci/copy-attached.ts";
import type { AttachmentPlace } from "../oci/cosign.ts";
import { type LayoutSource, openLayoutSource } from "../oci/layout-content.ts";
import { layoutDirectory } from "../oci/layout-writer.ts";
import { type Document, getManifest, headManifest } from "../oci/manifests.ts";
import type { Location, RegistryReference } from "../oci/reference.ts";
import { listReferrers } from "../oci/referrers.ts";
import type { Registry } from "../oci/registry.ts";
import { openRepository } from "../oci/repository.ts";
import type { Session } from "./session.ts";

export interface SignedPlace extends AttachmentPlace {
  readonly subject: Document;
  /** Without tag and digest. */
  readonly name: string;
}

/** What a copy may ask for attachments: a registry, or a layout of any form. */
export function attachmentSource(
  session: Session,
  { location, open }: { location: Location; open: (host: string) => Registry },
): AttachmentSource {
  if (location.type === "registry") {
    const { findTag, referrers, source } = registryPlace(location.reference, open);
    return { findTag, referrers, source };
  }
  const source = openLayoutSource(location.path, path.resolve(session.cwd, location.path));
  return {
    source,
    findTag: async (tag) => findLayoutTag(source, tag),
    referrers: async (hash) => source.referrers(hash),
  };
}

/** What a copy's target has already; undefined where it is written anew. */
export function attachmentTarget(
  session: Session,
  { location, open }: { location: Location; open: (host: string) => Registry },
): AttachmentPlace | undefined {
  if (location.type === "registry") return registryPlace(location.reference, open);
  const file = path.resolve(session.cwd, location.path);
  return fs.existsSync(path.join(file, "oci-layout")) ? layoutPlace(location.path, file) : undefined;
}

/** What is there under a reference, and what may be attached to it. Throws what finding it throws. */
export async function openSigned(
  session: Session,
  { location, open }: { location: Location; open: (host: string) => Registry },
): Promise<SignedPlace> {
  if (location.type === "layout") {
    const file = path.resolve(session.cwd, location.path);
    const subject = openLayoutSource(location.path, file).resolve(location.tag);
    return { ...layoutPlace(location.path, file), subject, name: path.basename(file) };
  }
  const { reference } = location;
  const { host, repository } = reference;
  const subject = await openRepository(open(host), { repository }).resolve(reference);
  return { ...registryPlace(reference, open), subject, name: `${host}/${repository}` };
}

function registryPlace({ host, repository }: RegistryReference, open: (host: string) => Registry) {
  const registry = open(host);
  const place = openRepository(registry, { repository });
  return {
    ...{ source: place, target: place },
    async findTag(tag: string) {
      const named = { host, repository, tag };
      return (await headManifest(registry, named)) === undefined ? undefined : getManifest(registry, named);
    },
    referrers: (hash: string) => listReferrers(registry, { repository, hash }),
  };
}

function layoutPlace(label: string, file: string): AttachmentPlace {
  const read = () => openLayoutSource(label, file);
  return {
    source: read(),
    target: {
      label,
      hasDocument: async ({ hash }) => read().holds(hash),
      putBlob: (blob, progress) => layoutDirectory(file).putBlob(blob, progress),
      async putDocument(document, options) {
        const target = layoutDirectory(file);
        await target.putDocument(document, options);
        await target.finish();
      },
    },
    findTag: async (tag) => findLayoutTag(read(), tag),
    referrers: undefined,
  };
}

function findLayoutTag(source: LayoutSource, tag: string): Document | undefined {
  try {
    return source.resolve(tag);
  } catch (error) {
    if (hasCode(error, "NAME_UNKNOWN")) return undefined;
    throw error;
  }
}
