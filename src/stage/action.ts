/**
 * Encodes Remote Execution API v2 messages in their canonical form (fields in order of number, defaults left out,
 * lists sorted where the protocol says so): the digest of an `Action` is a stage's key.
 *
 * Written without protobuf's runtime: it takes longer to load than an unchanged build may last.
 * `action.test.ts` holds it against the code generated from proto/remote_execution.proto.
 */
import { comparePaths } from "../base/bytes.ts";
import { type Digest, digestOf } from "../base/digest.ts";
import { VarintWriter } from "../formats/varint-writer.ts";

export interface CommandSpec {
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  readonly outputPaths: readonly string[];
}

/** A file of the input root, by its `/`-separated path. */
export interface InputFile {
  readonly path: string;
  readonly digest: Digest;
  readonly executable?: boolean;
}

export interface ActionSpec {
  readonly command: CommandSpec;
  readonly inputs: readonly InputFile[];
  readonly platform: Readonly<Record<string, string>>;
}

export interface EncodedAction {
  readonly digest: Digest;
  /** Action, Command and every Directory: what a remote cache or worker must be given, beside the input files. */
  readonly messages: readonly Uint8Array[];
}

export function encodeAction(spec: ActionSpec): EncodedAction {
  const messages: Uint8Array[] = [];
  const keep = (bytes: Uint8Array): Digest => {
    messages.push(bytes);
    return digestOf(bytes);
  };
  const command = keep(encodeCommand(spec.command));
  const inputRoot = encodeDirectories(spec.inputs, keep);
  const writer = new VarintWriter();
  message(writer, 1, encodeDigest(command));
  message(writer, 2, encodeDigest(inputRoot));
  message(writer, 10, encodeProperties(spec.platform));
  return { digest: keep(writer.done()), messages };
}

export function encodeCommand(command: CommandSpec): Uint8Array {
  const writer = new VarintWriter();
  for (const argument of command.arguments) words(writer, 1, argument);
  for (const [name, value] of sortedEntries(command.environment ?? {})) message(writer, 2, encodePair(name, value));
  text(writer, 6, command.workingDirectory ?? "");
  for (const path of [...command.outputPaths].sort(comparePaths)) words(writer, 7, path);
  return writer.done();
}

/** Encodes the directory of `files` and those below it; gives the root's digest. */
function encodeDirectories(files: readonly InputFile[], keep: (bytes: Uint8Array) => Digest): Digest {
  const here = new Map<string, InputFile>();
  const below = new Map<string, InputFile[]>();
  for (const file of files) {
    const slash = file.path.indexOf("/");
    if (slash < 0) here.set(file.path, file);
    else {
      const name = file.path.slice(0, slash);
      const list = below.get(name) ?? [];
      list.push({ ...file, path: file.path.slice(slash + 1) });
      below.set(name, list);
    }
  }
  const writer = new VarintWriter();
  for (const [name, { digest, executable }] of sortedMap(here)) {
    const node = new VarintWriter();
    text(node, 1, name);
    message(node, 2, encodeDigest(digest));
    if (executable) number(node, 4, 1);
    message(writer, 1, node.done());
  }
  for (const [name, inside] of sortedMap(below)) {
    const node = new VarintWriter();
    text(node, 1, name);
    message(node, 2, encodeDigest(encodeDirectories(inside, keep)));
    message(writer, 2, node.done());
  }
  return keep(writer.done());
}

function encodeDigest(digest: Digest): Uint8Array {
  const writer = new VarintWriter();
  text(writer, 1, digest.hash);
  number(writer, 2, digest.size);
  return writer.done();
}

function encodeProperties(properties: Readonly<Record<string, string>>): Uint8Array {
  const writer = new VarintWriter();
  for (const [name, value] of sortedEntries(properties)) message(writer, 1, encodePair(name, value));
  return writer.done();
}

function encodePair(name: string, value: string): Uint8Array {
  const writer = new VarintWriter();
  text(writer, 1, name);
  text(writer, 2, value);
  return writer.done();
}

/** Wire type 2: a length, then as many bytes (protobuf's "Encoding", "Length-Delimited Records"). */
const tag = (at: number): number => (at << 3) | 2;

function message(writer: VarintWriter, at: number, bytes: Uint8Array): void {
  writer.varint(tag(at));
  writer.sized(bytes);
}

function words(writer: VarintWriter, at: number, value: string): void {
  writer.varint(tag(at));
  writer.text(value);
}

/** What is empty or zero is a field's default, and left out. */
function text(writer: VarintWriter, at: number, value: string): void {
  if (value !== "") words(writer, at, value);
}

function number(writer: VarintWriter, at: number, value: number): void {
  if (value === 0) return;
  writer.varint(at << 3);
  writer.varint(value);
}

/** By UTF-8 bytes, which is the protocol's order. */
const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => comparePaths(a, b);
const sortedEntries = (record: Readonly<Record<string, string>>) => Object.entries(record).sort(byName);
const sortedMap = <T>(map: ReadonlyMap<string, T>) => [...map].sort(byName);
