/** Gives what lies in a registry further names: a pointer moves, no bytes do. */
import { EXIT } from "../base/error-codes.ts";
import { getManifest, headManifest, putManifest } from "../oci/manifests.ts";
import { checkTag, parseReference } from "../oci/reference.ts";
import { type RegistryAccess, withRegistries } from "./registries.ts";
import type { Report, Session } from "./session.ts";

export interface OciTagOptions extends RegistryAccess {
  readonly reference: string;
  readonly tags: readonly string[];
  readonly dryRun: boolean;
}

export async function ociTag(
  session: Session,
  { reference: text, tags, dryRun, ...access }: OciTagOptions,
): Promise<Report> {
  const reference = parseReference(text);
  for (const tag of tags) checkTag(tag, tag);
  return withRegistries(session, access, async (open) => {
    const registry = open(reference.host);
    const document = await getManifest(registry, reference);
    const { host, repository } = reference;
    const done: { tag: string; before: string; known: boolean }[] = [];
    for (const tag of tags) {
      const before = await headManifest(registry, { host, repository, tag });
      const known = before?.hash === document.hash;
      if (!known && !dryRun) await putManifest(registry, { host, repository, tag }, document);
      done.push({ tag, before: before === undefined ? "" : `sha256:${before.hash}`, known });
    }
    const digest = `sha256:${document.hash}`;
    return {
      data: { repository: `${host}/${repository}`, digest, tags: done, dryRun },
      text: done.map((one) => `${host}/${repository}:${one.tag} ${sentence(one, { dryRun, digest })}`).join("\n"),
      quiet: digest,
      exit: dryRun && done.some(({ known }) => !known) ? EXIT.different : EXIT.ok,
    };
  });
}

function sentence(
  { known, before }: { known: boolean; before: string },
  { dryRun, digest }: { dryRun: boolean; digest: string },
): string {
  const short = digest.slice(0, 19);
  if (known) return `is ${short} already`;
  return `${dryRun ? "would be" : "is now"} ${short}${before === "" ? "" : `, was ${before.slice(0, 19)}`}`;
}
