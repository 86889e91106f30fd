/**
 * The variable store of EDK II firmware (MdeModulePkg/Include/Guid/VariableFormat.h; UEFI PI 1.8 volume 3 §3.2.1 for the
 * volume around it): what OVMF keeps in its second flash file. Variables are read, and put in, as the firmware itself
 * would leave them.
 */
import { BootwrightError } from "../base/errors.ts";
import { ByteReader, formatError } from "./byte-reader.ts";
import { guidBytes, guidText } from "./uuid.ts";

export interface EfiVariable {
  readonly name: string;
  readonly vendor: string;
  readonly attributes: number;
  readonly data: Uint8Array;
  /** EFI_TIME of the last authenticated write, 16 bytes; zeros otherwise. */
  readonly timestamp: Uint8Array;
}

const FORMAT = "EFI variable store";
const SYSTEM_NV_DATA = "fff12b8d-7696-4c8b-a985-2747075b4f50";
const AUTHENTICATED_VARIABLES = "aaf32c78-947b-439a-a180-2e144ec37792";
const STORE_HEADER = 28;
const VARIABLE_HEADER = 60;
const START = 0x55aa;
/** All bits of the state that mean: written whole, and not deleted. */
const ADDED = 0x3f;

interface Store {
  /** Of the first variable. */
  readonly start: number;
  readonly end: number;
}

/** The variables that count, in order. Throws FORMAT_INVALID. */
export function readVariables(bytes: Uint8Array): readonly EfiVariable[] {
  return [...walk(bytes, findStore(bytes))].flatMap(({ variable }) => (variable === undefined ? [] : [variable]));
}

/** A copy of the store with variables added, each in place of one of the same name. Throws LIMIT_EXCEEDED when it is full. */
export function addVariables(bytes: Uint8Array, variables: readonly EfiVariable[]): Buffer {
  const copy = Buffer.from(bytes);
  const store = findStore(copy);
  let free = store.start;
  for (const { at, next, variable } of walk(copy, store)) {
    free = next;
    const replaced = variables.some(({ name, vendor }) => name === variable?.name && vendor === variable.vendor);
    if (replaced) copy[at + 2]! &= 0xfd; // VAR_DELETED: in flash, bits are only ever cleared.
  }
  for (const variable of variables) {
    const encoded = encodeVariable(variable);
    if (free + encoded.length > store.end)
      throw new BootwrightError(
        "LIMIT_EXCEEDED",
        `${FORMAT}: no room for ${variable.name} (${variable.data.length} bytes)`,
      );
    copy.set(encoded, free);
    free += encoded.length;
  }
  return copy;
}

function findStore(bytes: Uint8Array): Store {
  const reader = new ByteReader(bytes, { format: FORMAT });
  if (guidText(reader.slice(16, 16)) !== SYSTEM_NV_DATA)
    throw formatError(FORMAT, 16, "a firmware volume for variables");
  if (Buffer.from(reader.slice(40, 4)).toString("latin1") !== "_FVH")
    throw formatError(FORMAT, 40, 'the signature "_FVH"');
  const at = reader.u16(48);
  if (guidText(reader.slice(at, 16)) !== AUTHENTICATED_VARIABLES)
    throw new BootwrightError("UNSUPPORTED", `${FORMAT}: its variables are not of the authenticated kind`, {
      hint: "use the store of a firmware build with Secure Boot (OVMF_VARS_4M.fd)",
    });
  const size = reader.u32(at + 16);
  if (reader.u8(at + 20) !== 0x5a || reader.u8(at + 21) !== 0xfe)
    throw formatError(FORMAT, at + 20, "a formatted, healthy store");
  if (size < STORE_HEADER || at + size > bytes.length) throw formatError(FORMAT, at + 16, "a store within the file");
  return { start: at + STORE_HEADER, end: at + size };
}

function* walk(
  bytes: Uint8Array,
  { start, end }: Store,
): Generator<{ at: number; next: number; variable: EfiVariable | undefined }> {
  const reader = new ByteReader(bytes.subarray(0, end), { format: FORMAT });
  for (let at = start; at + VARIABLE_HEADER <= end && reader.u16(at) === START; ) {
    const nameSize = reader.u32(at + 36);
    const dataSize = reader.u32(at + 40);
    const dataAt = at + VARIABLE_HEADER + nameSize;
    if (dataAt + dataSize > end) throw formatError(FORMAT, at + 36, "a variable within the store");
    const next = align(dataAt + dataSize);
    const state = reader.u8(at + 2);
    yield {
      at,
      next,
      variable:
        state !== ADDED
          ? undefined
          : {
              name: Buffer.from(reader.slice(at + VARIABLE_HEADER, nameSize))
                .toString("utf16le")
                .replace(/\0$/, ""),
              vendor: guidText(reader.slice(at + 44, 16)),
              attributes: reader.u32(at + 4),
              timestamp: reader.slice(at + 16, 16),
              data: reader.slice(dataAt, dataSize),
            },
    };
    at = next;
  }
}

function encodeVariable({ name, vendor, attributes, data, timestamp }: EfiVariable): Buffer {
  const text = Buffer.from(`${name}\0`, "utf16le");
  const size = VARIABLE_HEADER + text.length + data.length;
  // Flash that was never written is all ones.
  const bytes = Buffer.alloc(align(size), 0xff);
  bytes.fill(0, 0, VARIABLE_HEADER);
  bytes.writeUInt16LE(START, 0);
  bytes[2] = ADDED;
  bytes.writeUInt32LE(attributes, 4);
  bytes.set(timestamp, 16);
  bytes.writeUInt32LE(text.length, 36);
  bytes.writeUInt32LE(data.length, 40);
  bytes.set(guidBytes(vendor), 44);
  bytes.set(text, VARIABLE_HEADER);
  bytes.set(data, VARIABLE_HEADER + text.length);
  return bytes;
}

/** Variables start at multiples of 4. */
const align = (at: number): number => (at + 3) & ~3;
