/** A release's document, `releases/v0.4.0.json`: which commits, which artifacts, and what is new. Made once, never changed. */
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { type JsonObject, NAME, SHA256, Shape } from "../base/json-shape.ts";
import type { Place, ReadablePlace } from "../base/place.ts";
import { nextFree, RELEASE_VERSION } from "./version.ts";

export interface ReleaseDocument {
  readonly version: string;
  readonly platform: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly who: string;
  /** The release before it; "" for the first. */
  readonly previous: string;
  readonly repositories: Readonly<Record<string, ReleasedRepository>>;
  readonly artifacts: readonly ReleaseArtifact[];
  /** What each repository's commits since the release before say, the newest first. */
  readonly notes: Readonly<Record<string, readonly Note[]>>;
}

export interface ReleasedRepository {
  readonly git: string;
  readonly trunk: string;
  readonly commit: string;
}

export interface ReleaseArtifact {
  /** Of the publication: the same in each release. */
  readonly name: string;
  /** The file's own name. */
  readonly file: string;
  readonly arch: string;
  /** Of `platform.repositories`, where it was published from. */
  readonly repository: string;
  /** Of what was published; "" when it had none. */
  readonly version: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  /** Where its bytes lie; they never change there. */
  readonly address: string;
}

export interface Note {
  readonly commit: string;
  /** "feat", "fix" … of a conventional commit; "" for another. */
  readonly type: string;
  readonly scope: string;
  readonly breaking: boolean;
  readonly subject: string;
}

export interface StoredRelease {
  readonly document: ReleaseDocument;
  /** SHA-256 of its file. */
  readonly digest: string;
}

const SCHEMA = "bootwright.release/1";
const MAX_DOCUMENT = 16 << 20;
export const releasePath = (version: string): string => `releases/${version}.json`;

export function encodeRelease(document: ReleaseDocument): Buffer {
  const { version, platform, created, who, previous, repositories, artifacts, notes } = document;
  return Buffer.from(
    `${JSON.stringify({ schema: SCHEMA, version, platform, created, who, previous, repositories, artifacts, notes }, null, 2)}\n`,
  );
}

/**
 * Stores a release. One that is there counts as this one when it says the same, whoever wrote it and when: a command that died
 * is run again. Throws EXISTS when the version says something else.
 */
export async function storeRelease(
  place: Place,
  document: ReleaseDocument,
  signal: AbortSignal,
): Promise<StoredRelease & { readonly known: boolean }> {
  const there = await findRelease(place, document.version, signal);
  if (there === undefined) {
    const bytes = encodeRelease(document);
    if (await place.create(releasePath(document.version), bytes))
      return { document, digest: digestOf(bytes).hash, known: false };
    return storeRelease(place, document, signal);
  }
  await sameRelease(place, { there, document, signal });
  return { ...there, known: true };
}

/** Throws EXISTS with the next version that is free. */
export async function sameRelease(
  place: ReadablePlace,
  { there, document, signal }: { there: StoredRelease; document: ReleaseDocument; signal: AbortSignal },
): Promise<void> {
  const { created, who } = there.document;
  if (encodeRelease(there.document).equals(encodeRelease({ ...document, created, who }))) return;
  const taken = new Set([document.version]);
  let free = nextFree(document.version, (version) => taken.has(version));
  while ((await findRelease(place, free, signal)) !== undefined) {
    taken.add(free);
    free = nextFree(document.version, (version) => taken.has(version));
  }
  throw new BootwrightError(
    "EXISTS",
    `${document.version} is released already, with other contents: ${firstDifference(there.document, document)}`,
    { hint: `a version never changes; the next free one: bootwright release new ${free}` },
  );
}

/** Undefined when there is none. Throws FORMAT_INVALID. */
export async function findRelease(
  place: ReadablePlace,
  version: string,
  signal: AbortSignal,
): Promise<StoredRelease | undefined> {
  const bytes = await place.read(releasePath(version), { maxSize: MAX_DOCUMENT, signal });
  if (bytes === undefined) return undefined;
  const what = `${place.address}/${releasePath(version)}`;
  return { document: decodeRelease(bytes, { version, what }), digest: digestOf(bytes).hash };
}

/** As the record has it. Throws DIGEST_MISMATCH, RECORD_BROKEN. */
export async function readRelease(
  place: ReadablePlace,
  { version, digest, signal }: { version: string; digest: string; signal: AbortSignal },
): Promise<StoredRelease> {
  const bytes = await place.read(releasePath(version), { maxSize: MAX_DOCUMENT, signal });
  const what = `${place.address}/${releasePath(version)}`;
  if (bytes === undefined)
    throw new BootwrightError("RECORD_BROKEN", `${what} is missing, and the record has it`, {
      hint: "restore the file: its digest is in the record",
    });
  const found = digestOf(bytes).hash;
  if (found !== digest)
    throw new BootwrightError(
      "DIGEST_MISMATCH",
      `${what} was changed: it is sha256:${found.slice(0, 12)}, the record has sha256:${digest.slice(0, 12)}`,
      { hint: "restore the file: its digest is in the record" },
    );
  return { document: decodeRelease(bytes, { version, what }), digest };
}

function firstDifference(there: ReleaseDocument, now: ReleaseDocument): string {
  for (const [name, { commit }] of Object.entries(now.repositories)) {
    const before = there.repositories[name]?.commit;
    if (before !== commit)
      return before === undefined
        ? `it lacks ${name}`
        : `${name} is at ${before.slice(0, 12)} there, and at ${commit.slice(0, 12)} now`;
  }
  for (const { name, arch, repository, sha256 } of now.artifacts) {
    const before = there.artifacts.find(
      (one) => one.name === name && one.arch === arch && one.repository === repository,
    )?.sha256;
    if (before !== sha256)
      return before === undefined
        ? `it lacks the artifact ${name}`
        : `${name} is sha256:${before.slice(0, 12)} there, and sha256:${sha256.slice(0, 12)} now`;
  }
  return "repositories, artifacts or notes differ";
}

function decodeRelease(bytes: Uint8Array, { version, what }: { version: string; what: string }): ReleaseDocument {
  const shape = new Shape(what);
  const value = shape.parse(bytes);
  shape.word(value.schema, { member: "schema", of: [SCHEMA] });
  const found = shape.text(value.version, { member: "version", like: RELEASE_VERSION });
  if (found !== version) throw shape.invalid(`it is release ${found}`);
  return {
    version,
    platform: shape.text(value.platform, { member: "platform", like: NAME }),
    created: shape.text(value.created, { member: "created", like: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ }),
    who: line(value.who, { shape, member: "who" }),
    previous: value.previous === "" ? "" : shape.text(value.previous, { member: "previous", like: RELEASE_VERSION }),
    repositories: mapOf(value.repositories, {
      ...{ shape, member: "repositories" },
      decode: (one) => ({
        git: line(one.git, { shape, member: "git" }),
        trunk: line(one.trunk, { shape, member: "trunk" }),
        commit: shape.text(one.commit, { member: "commit", like: COMMIT }),
      }),
    }),
    artifacts: shape
      .list(value.artifacts, "artifacts")
      .map((item) => decodeArtifact(shape.object(item, "an artifact"), shape)),
    notes: Object.fromEntries(
      Object.entries(shape.object(value.notes, "notes")).map(([name, list]) => [
        shape.text(name, { member: "notes", like: NAME }),
        shape.list(list, "notes").map((item) => decodeNote(shape.object(item, "a note"), shape)),
      ]),
    ),
  };
}

const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

const decodeArtifact = (one: JsonObject, shape: Shape): ReleaseArtifact => ({
  name: shape.text(one.name, { member: "name", like: NAME }),
  file: shape.text(one.file, { member: "file", like: FILE_NAME }),
  arch: shape.text(one.arch, { member: "arch", like: /^[\w-]{1,32}$/ }),
  repository: shape.text(one.repository, { member: "repository", like: NAME }),
  version: shape.text(one.version, { member: "version", like: /^[^\u0000-\u001f\u007f]{0,128}$/ }),
  size: shape.count(one.size, "size"),
  sha256: shape.text(one.sha256, { member: "sha256", like: SHA256 }),
  address: line(one.address, { shape, member: "address" }),
});

/** Also a file's name where it is pulled to. */
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._+~-]{0,199}$/;

function decodeNote(one: JsonObject, shape: Shape): Note {
  const text = (member: "type" | "scope" | "subject") =>
    shape.text(one[member], { member, like: /^[^\u0000-\u001f\u007f]{0,1000}$/ });
  return {
    commit: shape.text(one.commit, { member: "commit", like: COMMIT }),
    type: text("type"),
    scope: text("scope"),
    breaking: one.breaking === true,
    subject: text("subject"),
  };
}

const mapOf = <T>(
  value: unknown,
  { shape, member, decode }: { shape: Shape; member: string; decode: (one: JsonObject) => T },
): Readonly<Record<string, T>> =>
  Object.fromEntries(
    Object.entries(shape.object(value, member)).map(([name, one]) => [
      shape.text(name, { member, like: NAME }),
      decode(shape.object(one, member)),
    ]),
  );

const line = (value: unknown, { shape, member }: { shape: Shape; member: string }): string =>
  shape.text(value, { member, like: /^[^\u0000-\u001f\u007f]{1,1000}$/ });
