/**
 * A signing request: a small directory that goes to the machine with the keys and comes back. `request.json` says what is
 * to be signed and what for; the answers are put into `signatures/` beside it.
 */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError, messageOf } from "../base/errors.ts";
import { readIfExists, removeTree, temporaryName, writeFileAtomic } from "../base/fs.ts";
import { digestToSign, parseWanted, requireForm, type WantedSignature } from "./wanted-signature.ts";

export interface SigningRequest {
  readonly project: string;
  /** Of the project; "" when it has none. */
  readonly version: string;
  readonly wanted: readonly WantedSignature[];
}

/** What is signed itself, where it is too large for the text: SHA-256 → bytes. */
export type Contents = ReadonlyMap<string, () => Iterable<Uint8Array>>;

const SCHEMA = "bootwright.signing-request/1";
const FILE = "request.json";
const MAX_WANTED = 10_000;

export const answersDir = (dir: string): string => path.join(dir, "signatures");

const contentFile = (dir: string, digest: string): string => path.join(dir, "contents", digest);

/** Replaces the directory at once; an older request there, with its answers, is answered no more. */
export function writeRequest(dir: string, { contents, ...request }: SigningRequest & { contents?: Contents }): void {
  const temporary = temporaryName(dir);
  writeFileAtomic(path.join(temporary, FILE), `${JSON.stringify({ schema: SCHEMA, ...request }, null, 2)}\n`);
  for (const [digest, read] of contents ?? [])
    writeFileAtomic(contentFile(temporary, digest), Buffer.concat([...read()]));
  removeTree(dir);
  fs.renameSync(temporary, dir);
}

/** Throws PATH_MISSING, FORMAT_INVALID, DIGEST_MISMATCH. */
export function readRequest(dir: string): SigningRequest {
  const bytes = readIfExists(path.join(dir, FILE));
  if (bytes === undefined)
    throw new BootwrightError("PATH_MISSING", `${dir} is no signing request: it has no ${FILE}`, {
      hint: "a build that lacks signatures writes one to out/signing-request",
    });
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new BootwrightError("FORMAT_INVALID", `${dir}/${FILE}: ${messageOf(error)}`);
  }
  const { schema, project, version, wanted } = (value ?? {}) as Record<string, unknown>;
  if (schema !== SCHEMA || typeof project !== "string" || typeof version !== "string" || !Array.isArray(wanted))
    throw new BootwrightError("FORMAT_INVALID", `${dir}/${FILE}: not a signing request of this kind (${SCHEMA})`);
  if (wanted.length > MAX_WANTED)
    throw new BootwrightError("LIMIT_EXCEEDED", `${dir}/${FILE}: ${wanted.length} signatures are wanted`);
  return { project, version, wanted: wanted.map((one) => parseWanted(one, `${dir}/${FILE}`)) };
}

/** The wanted signature with what is to be signed in it. Throws PATH_MISSING, DIGEST_MISMATCH, FORMAT_INVALID. */
export function withContent(dir: string, wanted: WantedSignature): WantedSignature {
  if (wanted.kind !== "module") return wanted;
  const file = contentFile(dir, wanted.digest);
  const content = readIfExists(file);
  if (content === undefined)
    throw new BootwrightError("PATH_MISSING", `${dir} lacks ${wanted.what}: ${file} is not there`);
  if (digestToSign(content) !== wanted.digest)
    throw new BootwrightError("DIGEST_MISMATCH", `${file} is not what its name says`);
  requireForm(wanted.kind, { content, what: wanted.what });
  return { ...wanted, content: content.toString("base64") };
}
