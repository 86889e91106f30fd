/** Signs what lies in a registry or layout, and attaches statements to it, as cosign does. */
import fs from "node:fs";
import path from "node:path";
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError, ioError, isBootwrightError } from "../base/errors.ts";
import { parseBillStatement } from "../formats/bill-statement.ts";
import { MAX_ENVELOPE, parseEnvelope, signEnvelope, signersOf, verifyBytes } from "../formats/dsse.ts";
import { encodeStatement, INTOTO_PAYLOAD, parseStatement, type Statement } from "../formats/intoto.ts";
import { parseOciContent } from "../formats/oci-content.ts";
import { encodeSimpleSigning } from "../formats/simple-signing.ts";
import { attach, type NewAttached, readAttached } from "../oci/cosign.ts";
import { parseLocation } from "../oci/reference.ts";
import type { DocumentSigner } from "../sign/payload-signer.ts";
import { openSigned, type SignedPlace } from "./attachments.ts";
import { openProject } from "./project.ts";
import { documentSigner } from "./provenance.ts";
import { type RegistryAccess, withRegistries } from "./registries.ts";
import type { Report, Session } from "./session.ts";

export interface OciSignOptions extends RegistryAccess {
  readonly reference: string;
  /** Of the config. */
  readonly key: string;
  readonly dryRun: boolean;
}

export const ociSign = (session: Session, options: OciSignOptions): Promise<Report> =>
  signing(session, options, async (place, signer) => {
    const { name, subject } = place;
    const bytes = Buffer.from(encodeSimpleSigning({ name, hash: subject.hash }));
    const there = await readAttached(place, { hash: subject.hash, kind: "signature", damaged: () => {} });
    const known = there.some(
      (one) =>
        one.bytes.equals(bytes) &&
        verifyBytes(bytes, { publicKey: signer.publicKey, signature: Buffer.from(one.signature, "base64") }),
    );
    if (known) return undefined;
    return async () => {
      const signature = Buffer.from(await signer.sign(bytes)).toString("base64");
      return { kind: "signature", bytes, signature };
    };
  });

export interface OciAttestOptions extends OciSignOptions {
  /** A file with an in-toto statement, or with a bill of materials, which becomes one. */
  readonly statement: string;
}

export const ociAttest = (session: Session, options: OciAttestOptions): Promise<Report> =>
  signing(session, options, async (place, signer) => {
    const statement = about(readStatement(session, options.statement), { place, file: options.statement });
    const payload = Buffer.from(encodeStatement(statement));
    const { hash } = place.subject;
    const there = await readAttached(place, { hash, kind: "statement", damaged: () => {} });
    const known = there.some(({ bytes }) => isEnvelopeOf(bytes, { payload, signer }));
    if (known) return undefined;
    return async () => {
      const bytes = Buffer.from(await signEnvelope(payload, { payloadType: INTOTO_PAYLOAD, signer }));
      return { kind: "statement", bytes, signature: "", predicateType: statement.predicateType };
    };
  });

/** Anybody may have attached what is no envelope: that is not the one that is looked for. */
export function isEnvelopeOf(bytes: Buffer, { payload, signer }: { payload: Buffer; signer: DocumentSigner }): boolean {
  try {
    const envelope = parseEnvelope(bytes, "envelope");
    return envelope.payload.equals(payload) && signersOf(envelope, [signer]).length > 0;
  } catch (error) {
    if (isBootwrightError(error)) return false;
    throw error;
  }
}

/** What is there already by this key is not made again: a signature may differ each time. */
async function signing(
  session: Session,
  options: OciSignOptions,
  prepare: (place: SignedPlace, signer: DocumentSigner) => Promise<(() => Promise<NewAttached>) | undefined>,
): Promise<Report> {
  const location = parseLocation(options.reference);
  await using project = await openProject(session, { readonly: true });
  const signer = documentSigner(project, options.key);
  const { dryRun } = options;
  return withRegistries(session, options, async (open) => {
    const place = await openSigned(session, { location, open });
    const make = await prepare(place, signer);
    if (make !== undefined && !dryRun) await attach(place, place.subject, await make());
    const reference = `${place.name}@sha256:${place.subject.hash}`;
    const known = make === undefined;
    return {
      data: { reference, digest: `sha256:${place.subject.hash}`, key: options.key, known, dryRun },
      text: `${reference} ${known ? "has it already" : `${dryRun ? "would be" : "is"} signed with key ${options.key}`}`,
      quiet: `sha256:${place.subject.hash}`,
      exit: dryRun && !known ? EXIT.different : EXIT.ok,
    };
  });
}

/**
 * In a registry a thing is known by its manifest: what is said of all files that it carries is said of it, too. Throws
 * DIGEST_MISMATCH for a statement about something else.
 */
function about(statement: Statement, { place, file }: { place: SignedPlace; file: string }): Statement {
  const { name, subject } = place;
  const spoken = new Set(statement.subjects.map(({ sha256 }) => sha256));
  if (spoken.has(subject.hash)) return statement;
  const content = parseOciContent(subject.bytes, subject.mediaType, name);
  const files = content.kind === "manifest" && content.artifactType !== undefined ? content.layers : [];
  if (files.length === 0 || !files.every(({ hash }) => spoken.has(hash)))
    throw new BootwrightError("DIGEST_MISMATCH", `${file} is not about ${name}@sha256:${subject.hash}`, {
      hint: "push what the statement was made of; its subjects are files, or a container image, by digest",
    });
  return { ...statement, subjects: [{ name, sha256: subject.hash }, ...statement.subjects] };
}

function readStatement({ cwd }: Session, file: string): Statement {
  const at = path.resolve(cwd, file);
  try {
    if (fs.statSync(at).size > MAX_ENVELOPE)
      throw new BootwrightError("LIMIT_EXCEEDED", `${file} is larger than ${MAX_ENVELOPE} bytes`);
    const bytes = fs.readFileSync(at);
    return parseBillStatement(bytes, file) ?? parseStatement(bytes, file);
  } catch (error) {
    throw ioError("read", file, error);
  }
}
