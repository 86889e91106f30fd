/** A registry's repository, or a layout on this machine, as a place for signatures and statements. */
import path from "node:path";
import { hasCode } from "../base/errors.ts";
import type { AttachmentPlace } from "../oci/cosign.ts";
import { openLayoutSource } from "../oci/layout-content.ts";
import { layoutDirectory } from "../oci/layout-writer.ts";
import { type Document, getManifest, headManifest } from "../oci/manifests.ts";
import type { Location } from "../oci/reference.ts";
import { listReferrers } from "../oci/referrers.ts";
import type { Registry } from "../oci/registry.ts";
import { openRepository } from "../oci/repository.ts";
import type { Session } from "./session.ts";

export interface SignedPlace extends AttachmentPlace {
  readonly subject: Document;
  /** Without tag and digest. */
  readonly name: string;
}

/** What is there under a reference, and what may be attached to it. Throws what finding it throws. */
export async function openSigned(
  session: Session,
  { location, open }: { location: Location; open: (host: string) => Registry },
): Promise<SignedPlace> {
  if (location.type === "layout") return layoutPlace(session, location);
  const { reference } = location;
  const { host, repository } = reference;
  const registry = open(host);
  const place = openRepository(registry, { repository });
  const subject = await place.resolve(reference);
  return {
    ...{ subject, name: `${host}/${repository}`, source: place, target: place },
    async findTag(tag) {
      const named = { host, repository, tag };
      return (await headManifest(registry, named)) === undefined ? undefined : getManifest(registry, named);
    },
    referrers: (hash) => listReferrers(registry, { repository, hash }),
  };
}

function layoutPlace(session: Session, location: Extract<Location, { type: "layout" }>): SignedPlace {
  const file = path.resolve(session.cwd, location.path);
  const read = () => openLayoutSource(location.path, file);
  const source = read();
  const subject = source.resolve(location.tag);
  return {
    ...{ subject, name: path.basename(file), source },
    target: {
      label: location.path,
      hasDocument: async ({ hash }) => read().holds(hash),
      putBlob: (blob, progress) => layoutDirectory(file).putBlob(blob, progress),
      async putDocument(document, options) {
        const target = layoutDirectory(file);
        await target.putDocument(document, options);
        await target.finish();
      },
    },
    async findTag(tag) {
      try {
        return read().resolve(tag);
      } catch (error) {
        if (hasCode(error, "NAME_UNKNOWN")) return undefined;
        throw error;
      }
    },
    referrers: undefined,
  };
}
