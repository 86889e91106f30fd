/**
 * States how a published file was made, signed with a key of the config: in a registry attached to it as cosign does, elsewhere
 * as files beside it. What is there stays, since a signature may differ each time; what a publisher that was killed left out is
 * added by the next one.
 */
import path from "node:path";
import { digestOf } from "../base/digest.ts";
import type { Place } from "../base/place.ts";
import { MAX_ENVELOPE, signEnvelope, splitLines, verifyBytes } from "../formats/dsse.ts";
import { INTOTO_PAYLOAD } from "../formats/intoto.ts";
import type { BesideFile } from "../publish/github-release.ts";
import { type AddedStatement, furtherName } from "../publish/github-statements.ts";
import type { DocumentSigner } from "../sign/payload-signer.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import { BILLS, decodeSignature, OLDER_STATEMENTS, STATEMENT } from "./evidence.ts";
import { isEnvelopeOf, ociAttest, ociSign } from "./oci-sign.ts";
import type { Project } from "./project.ts";
import { base64Line, documentSigner } from "./provenance.ts";

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
export const BESIDE = [".sig", STATEMENT, OLDER_STATEMENTS, ...BILLS.flatMap((one) => [one, `${one}.sig`])];

/** What is said of a file, as files beside it: made when it is asked for, since a signature may differ each time. */
export function besideFiles(project: Project, about: Omit<Attested, "digest">): readonly BesideFile[] {
  const { name, local, provenance, key } = about;
  const signer = documentSigner(project, key);
  const statement = readBlob(project, provenance.slsa);
  return [
    { name: `${name}.sig`, make: async () => encodeSignature(await signer.signFile(local)) },
    { name: `${name}${STATEMENT}`, make: async () => lineOf(statement, signer) },
    ...billsOf(project, about).flatMap(({ name, bytes }) => [
      { name, make: async () => bytes },
      { name: `${name}.sig`, make: async () => encodeSignature(await signer.sign(bytes)) },
    ]),
  ];
}

const readBlob = ({ store }: Project, blob: BlobArtifact): Buffer => Buffer.from(store.blobs.readAll(blob));

const billsOf = (project: Project, { name, provenance: { spdx, cyclonedx } }: Omit<Attested, "digest">) =>
  [spdx, cyclonedx].map((blob, i) => ({ name: `${name}${BILLS[i]}`, bytes: readBlob(project, blob) }));

const encodeSignature = (signature: Uint8Array): Buffer => Buffer.from(base64Line(signature));

const lineOf = async (payload: Buffer, signer: DocumentSigner): Promise<Buffer> =>
  Buffer.from(`${await signEnvelope(payload, { payloadType: INTOTO_PAYLOAD, signer })}\n`);

/** The statement for a release that is there already: under a name that says what it says, and whose key says it. */
export function furtherStatement(
  project: Project,
  { name, provenance, key }: Omit<Attested, "digest">,
): Pick<AddedStatement, "file" | "statement" | "isSaidBy"> {
  const signer = documentSigner(project, key);
  const payload = readBlob(project, provenance.slsa);
  const { hash } = digestOf(Buffer.concat([signer.publicKey.export({ type: "spki", format: "der" }), payload]));
  return {
    file: name,
    statement: { name: furtherName(name, hash), make: () => lineOf(payload, signer) },
    isSaidBy: (bytes) => splitLines(bytes).some((line) => isEnvelopeOf(line, { payload, signer })),
  };
}

async function putBeside(project: Project, { place, about }: { place: Place; about: Attested }): Promise<void> {
  const { signal } = project.session;
  for (const { name, make } of besideFiles(project, about)) {
    signal.throwIfAborted();
    if ((await place.stat(name)) === undefined) await place.create(name, await make());
  }
  await putStatement(project, { place, about });
  for (const bill of billsOf(project, about)) await putBill(project, { place, bill, key: about.key });
}

/** The same build gives another bill where the lock has changed: what counts is one that this key has signed. */
async function putBill(
  project: Project,
  { place, bill: { name, bytes }, key }: { place: Place; bill: { name: string; bytes: Buffer }; key: string },
): Promise<void> {
  const signer = documentSigner(project, key);
  const read = (beside: string) => place.read(beside, { maxSize: MAX_ENVELOPE, signal: project.session.signal });
  const [there = Buffer.of(), signature] = [await read(name), await read(`${name}.sig`)];
  const { publicKey } = signer;
  if (signature !== undefined && verifyBytes(there, { publicKey, signature: decodeSignature(signature) })) return;
  if (!there.equals(bytes)) await place.replace(name, bytes);
  await place.replace(`${name}.sig`, encodeSignature(await signer.sign(bytes)));
}

/** cosign reads one statement: the newest. The others stay for who asks for another commit. */
async function putStatement(project: Project, { place, about }: { place: Place; about: Attested }): Promise<void> {
  const signer = documentSigner(project, about.key);
  const payload = readBlob(project, about.provenance.slsa);
  const read = async (name: string) =>
    splitLines((await place.read(name, { maxSize: MAX_ENVELOPE, signal: project.session.signal })) ?? Buffer.of());
  const [newest, older] = [`${about.name}${STATEMENT}`, `${about.name}${OLDER_STATEMENTS}`];
  const lines = [...(await read(newest)), ...(await read(older))];
  if (lines.some((line) => isEnvelopeOf(line, { payload, signer }))) return;
  const kept = lines.filter((line, i) => lines.findIndex((one) => one.equals(line)) === i).slice(0, MAX_STATEMENTS - 1);
  // In this order: a publisher that is killed in between leaves one twice.
  await place.replace(older, Buffer.concat(kept.flatMap((line) => [line, NEWLINE])));
  await place.replace(newest, await lineOf(payload, signer));
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
