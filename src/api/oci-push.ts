/** Pushes images, files and layouts to a registry: what they consist of first, the name last. */
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { parseOciContent } from "../formats/oci-content.ts";
import { copyContent } from "../oci/copy.ts";
import { type Document, headManifest } from "../oci/manifests.ts";
import { formatReference, parseReference, type RegistryReference } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import { openRepository } from "../oci/repository.ts";
import { findSubject, type Subject } from "./oci-subject.ts";
import { type RegistryAccess, showCopying, withRegistries } from "./registries.ts";
import type { Report, Session } from "./session.ts";

export interface OciPushOptions extends RegistryAccess {
  /** Images of the project, files or layouts. */
  readonly subjects: readonly string[];
  readonly to: string;
  /** What an artifact is, as a media type. */
  readonly type?: string | undefined;
  /** `name=value`, of an artifact. */
  readonly annotations: readonly string[];
  readonly dryRun: boolean;
}

export async function ociPush(session: Session, options: OciPushOptions): Promise<Report> {
  const reference = parseReference(options.to); // A wrong name is said before anything is built.
  const annotations = parseAnnotations(options.annotations);
  const subject = await findSubject(session, options.subjects, { type: options.type, annotations });
  requireDigest(reference, subject.document);
  return withRegistries(session, options, (open) => pushSubject(session, { ...options, reference, subject, open }));
}

interface PushSubject {
  readonly reference: RegistryReference;
  readonly subject: Subject;
  readonly open: (host: string) => Registry;
  readonly dryRun: boolean;
}

export async function pushSubject(
  session: Session,
  { reference, subject: { document, source }, open, dryRun }: PushSubject,
): Promise<Report> {
  const registry = open(reference.host);
  const named = { host: reference.host, repository: reference.repository, ...tagOf(reference) };
  const before = await headManifest(registry, named.tag === undefined ? { ...named, digest: document.hash } : named);
  const known = before?.hash === document.hash;
  const shown = `${formatReference(named).replace(/@.*/, "")}@sha256:${document.hash}`;
  const result = {
    reference: shown,
    digest: `sha256:${document.hash}`,
    ...describe(document, source.label),
    known,
    dryRun,
  };
  if (dryRun)
    return {
      data: { ...result, sent: 0, spared: 0 },
      text: known ? `${shown} is there already` : `would push ${shown}${replaces(before?.hash)}`,
      exit: known ? EXIT.ok : EXIT.different,
    };
  const repository = openRepository(registry, { repository: reference.repository });
  const { sent, spared } = known
    ? { sent: 0, spared: 0 }
    : await copyContent(document, {
        from: source,
        to: repository,
        tag: named.tag,
        on: showCopying(session, "push"),
        signal: session.signal,
      });
  const now = await headManifest(registry, named.tag === undefined ? { ...named, digest: document.hash } : named);
  if (now?.hash !== document.hash)
    throw new BootwrightError(
      "DIGEST_MISMATCH",
      `${formatReference(named)} leads to ${now === undefined ? "nothing" : `sha256:${now.hash}`} after the push, not to sha256:${document.hash}`,
      { hint: "somebody else pushed under this name at the same time, or the registry did not keep it" },
    );
  return {
    data: { ...result, sent, spared },
    text: shown,
    quiet: `sha256:${document.hash}`,
    summary: known
      ? "it was there already; nothing was sent"
      : `sent ${formatSize(sent)}${spared > 0 ? `, ${spared} of its parts were there already` : ""}\nnext: bootwright oci pull ${formatReference(named)}`,
  };
}

/** Under a digest alone nothing needs a name. */
export const tagOf = ({ tag, digest }: RegistryReference): { tag?: string } =>
  tag !== undefined ? { tag } : digest !== undefined ? {} : { tag: "latest" };

/** What is to be pushed is known beforehand: a digest in its name must be right. */
export function requireDigest(reference: RegistryReference, { hash }: Document): void {
  if (reference.digest !== undefined && reference.digest !== hash)
    throw new BootwrightError(
      "DIGEST_MISMATCH",
      `what would be pushed is sha256:${hash}, not sha256:${reference.digest}`,
      {
        hint: "leave the digest out, or push what has it",
      },
    );
}

const replaces = (hash: string | undefined): string =>
  hash === undefined ? "" : ` in place of sha256:${hash.slice(0, 12)}`;

function describe({ bytes, mediaType }: Document, label: string) {
  const content = parseOciContent(bytes, mediaType, label);
  return { mediaType, ...(content.artifactType !== undefined && { artifactType: content.artifactType }) };
}

function parseAnnotations(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = /^([^=\s]+)=(.*)$/s.exec(text) ?? [];
      if (name !== undefined && value !== undefined) return [name, value];
      throw new BootwrightError("USAGE", `${JSON.stringify(text)} is no annotation`, {
        hint: "--annotation NAME=VALUE",
      });
    }),
  );
}
