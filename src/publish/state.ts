/**
 * What is published at one address: one document a change, `published/SERIAL`, made once and never changed. It names the
 * document before it by digest, and it alone says which name means which bytes; all other names and lists beside it are
 * written from it. `published/current` holds the newest serial whose lists are all written.
 *
 * Stable, for whoever reads the JSON: `schema`, `serial`, `updated`, `previous`, and of `files` all members of
 * `PublishedFile`. Members are only added. See docs/decisions/0027-publishing.md.
 */
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { JsonFields } from "../formats/oci-json.ts";

const SCHEMA = "bootwright.published/1";

/** Bytes. */
export const MAX_STATE = 16 * 1024 * 1024;
const MAX_FILES = 100_000;

export interface PublishedFile {
  /** Key of the config's `publish`. */
  readonly publication: string;
  /** The image's name in the config. */
  readonly image: string;
  /** What it is: the image's kind. */
  readonly kind: string;
  /** The file's own name: a file, the title in a registry. Means these bytes for ever. */
  readonly name: string;
  /** Further names that mean these bytes for ever: tags of a registry. */
  readonly immutable: readonly string[];
  /** The project's version; "" when it has none. */
  readonly version: string;
  readonly arch: string;
  /** Release of the kernel in it; "" when none is known. */
  readonly kernel: string;
  /** Bytes. */
  readonly size: number;
  /** Of the file's bytes, hex. */
  readonly sha256: string;
  /** What the place keeps it under: of a registry the manifest's SHA-256, elsewhere that of the file. */
  readonly digest: string;
  /** When: ISO 8601, UTC. */
  readonly published: string;
}

export interface PublishedState {
  /** Counts up by one with each change. */
  readonly serial: number;
  readonly updated: string;
  /** SHA-256 of the document before this one; "" for the first. */
  readonly previous: string;
  /** Newest first. */
  readonly files: readonly PublishedFile[];
  /** "PUBLICATION/NAME" → name of the file that it means now. */
  readonly moving: Readonly<Record<string, string>>;
  /** Names that were taken back when they were too many: they mean nothing else, ever. */
  readonly retired: readonly RetiredFile[];
  /** Lists that are written beside it. */
  readonly views: readonly string[];
  /** Number of the key that signs the lists; "" for none. */
  readonly signedBy: string;
}

export type RetiredFile = Pick<PublishedFile, "publication" | "name" | "immutable" | "sha256" | "digest">;

export const CURRENT = "published/current";
export const statePath = (serial: number): string => `published/${serial}`;
export const stateDigest = (bytes: Uint8Array): string => digestOf(bytes).hash;

export const encodeState = (state: PublishedState): Buffer =>
  Buffer.from(`${JSON.stringify({ schema: SCHEMA, ...state }, null, 1)}\n`);

/** Throws FORMAT_INVALID, LIMIT_EXCEEDED. */
export function decodeState(bytes: Uint8Array, what: string): PublishedState {
  const fields = JsonFields.parse(bytes, what);
  if (fields.text("schema") !== SCHEMA) throw fields.unexpected("schema", SCHEMA);
  return {
    serial: fields.count("serial"),
    updated: fields.text("updated"),
    previous: matching(fields, "previous", /^([0-9a-f]{64})?$/),
    files: fields.list("files", decodeFile, MAX_FILES),
    moving: Object.fromEntries([...fields.texts("moving")].map(([key, name]) => [key, checkName(name, what)])),
    retired: fields.list("retired", decodeRetired, MAX_FILES),
    views: fields.list("views", nameOf, 100),
    signedBy: fields.text("signedBy"),
  };
}

function decodeFile(item: unknown, where: string): PublishedFile {
  const fields = JsonFields.of(item, where);
  return {
    ...decodeRetired(item, where),
    image: fields.text("image"),
    kind: fields.text("kind"),
    version: fields.text("version"),
    arch: fields.text("arch"),
    kernel: fields.text("kernel"),
    size: fields.count("size"),
    published: fields.text("published"),
  };
}

function decodeRetired(item: unknown, where: string): RetiredFile {
  const fields = JsonFields.of(item, where);
  return {
    publication: fields.text("publication"),
    name: checkName(fields.text("name"), where),
    immutable: fields.list("immutable", nameOf, 100),
    sha256: matching(fields, "sha256", /^[0-9a-f]{64}$/),
    digest: matching(fields, "digest", /^[0-9a-f]{64}$/),
  };
}

function nameOf(item: unknown, where: string): string {
  if (typeof item === "string") return checkName(item, where);
  throw new BootwrightError("FORMAT_INVALID", `${where}: expected a text`);
}

/** A name is a file in one directory, so none leads out of it. */
export const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._+~-]{0,159}$/;

function checkName(name: string, where: string): string {
  if (FILE_NAME.test(name)) return name;
  throw new BootwrightError("FORMAT_INVALID", `${where}: ${JSON.stringify(name)} is no name of a file`);
}

function matching(fields: JsonFields, key: string, like: RegExp): string {
  const text = fields.text(key);
  if (!like.test(text)) throw fields.unexpected(key, `text like ${like.source}`);
  return text;
}
