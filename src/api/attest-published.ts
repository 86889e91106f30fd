/**
 * States how a published file was made, signed with a key of the config: in a registry attached to it as cosign does, elsewhere
 * as files beside it. What is there stays, since a signature may differ each time; what a publisher that was killed left out is
 * added by the next one.
 */
import path from "node:path";
import type { Place } from "../base/place.ts";
import { MAX_ENVELOPE, signEnvelope, splitLines } from "../formats/dsse.ts";
import { INTOTO_PAYLOAD } from "../formats/intoto.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import { isEnvelopeOf, ociAttest, ociSign } from "./oci-sign.ts";
import type { Project } from "./project.ts";
import { documentSigner } from "./provenance.ts";

export interface BuiltProvenance {
  readonly slsa: BlobArtifact;
  readonly spdx: BlobArtifact;
  readonly cyclonedx: BlobArtifact;
}

interface Attested {
  /** The file's own name. */
  readonly name: string;
  readonly local: string;
  /** What the place keeps it under. */
  readonly digest: string;
  readonly provenance: BuiltProvenance;
  /** Of the config. */
  readonly key: string;
}

/** Throws what loading the key throws, and what writing there throws. */
export async function attestPublished(
  project: Project,
  { place, about }: { place: Place; about: Attested },
): Promise<void> {
  if (place.address.startsWith("oci://")) await attach(project, { place, about });
  else await putBeside(project, { place, about });
}

/** Those of files that were taken away go with them. */
export async function removeAttested(place: Place, names: readonly string[]): Promise<void> {
  for (const name of names) for (const ending of BESIDE) await place.remove(`${name}${ending}`);
}

/** Endings of what lies beside a file. */
export const BESIDE = [".sig", ".intoto.jsonl", ".spdx.json", ".cdx.json"] as const;

/** What is said of a file, as files beside it: made when it is asked for, since a signature may differ each time. */
export function besideFiles(
  project: Project,
  { name, local, provenance: { slsa, spdx, cyclonedx }, key }: Omit<Attested, "digest">,
): readonly { readonly name: string; readonly make: () => Promise<Buffer> }[] {
  const signer = documentSigner(project, key);
  const read = (blob: BlobArtifact): Buffer => Buffer.from(project.store.blobs.readAll(blob));
  const make = {
    ".sig": async () => Buffer.from(`${Buffer.from(await signer.signFile(local)).toString("base64")}\n`),
    ".intoto.jsonl": async () =>
      Buffer.from(`${await signEnvelope(read(slsa), { payloadType: INTOTO_PAYLOAD, signer })}\n`),
    ".spdx.json": async () => read(spdx),
    ".cdx.json": async () => read(cyclonedx),
  } as const satisfies Record<(typeof BESIDE)[number], () => Promise<Buffer>>;
  return BESIDE.map((ending) => ({ name: `${name}${ending}`, make: make[ending] }));
}

async function putBeside(project: Project, { place, about }: { place: Place; about: Attested }): Promise<void> {
  for (const { name, make } of besideFiles(project, about)) {
    project.session.signal.throwIfAborted();
    if ((await place.stat(name)) === undefined) await place.create(name, await make());
  }
  const signer = documentSigner(project, about.key);
  const payload = Buffer.from(project.store.blobs.readAll(about.provenance.slsa));
  const statements = `${about.name}.intoto.jsonl`;
  const lines =
    (await place.read(statements, { maxSize: MAX_ENVELOPE, signal: project.session.signal })) ?? Buffer.of();
  if (splitLines(lines).some((line) => isEnvelopeOf(line, { payload, signer }))) return;
  const kept = splitLines(lines).slice(0, MAX_STATEMENTS - 1);
  const newest = Buffer.from(await signEnvelope(payload, { payloadType: INTOTO_PAYLOAD, signer }));
  await place.replace(statements, Buffer.concat([newest, ...kept].flatMap((line) => [line, NEWLINE])));
}

/** The same bytes may be made from other commits: each says so, the newest first. Of two publishers at once, the next one adds what is lost. */
const MAX_STATEMENTS = 64;
const NEWLINE = Buffer.from("\n");

async function attach(project: Project, { place, about }: { place: Place; about: Attested }): Promise<void> {
  const { config, session, store } = project;
  const repository = place.address.slice("oci://".length);
  const known = config.sources.registries[repository.slice(0, repository.indexOf("/"))];
  const options = {
    reference: `${repository}@sha256:${about.digest}`,
    key: about.key,
    dryRun: false,
    plainHttp: known?.plainHttp,
    ca: known?.ca === undefined ? undefined : path.resolve(config.dir, known.ca),
  };
  await ociSign(session, options);
  for (const { hash } of Object.values(about.provenance))
    await ociAttest(session, { ...options, statement: store.blobs.path(hash) });
}
