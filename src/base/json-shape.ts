/** Checks values out of documents from outside: what does not fit is FORMAT_INVALID that names document and member. */
import { BootwrightError, messageOf } from "./errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export class Shape {
  readonly #what: string;

  /** `what` names the document in errors. */
  constructor(what: string) {
    this.#what = what;
  }

  parse(bytes: Uint8Array): JsonObject {
    try {
      return this.object(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), "the document");
    } catch (error) {
      throw error instanceof BootwrightError ? error : this.invalid(messageOf(error));
    }
  }

  object(value: unknown, member: string): JsonObject {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.#not(member, "an object");
    return value as JsonObject;
  }

  list(value: unknown, member: string): readonly unknown[] {
    if (!Array.isArray(value)) throw this.#not(member, "a list");
    return value;
  }

  text(value: unknown, { member, like }: { member: string; like: RegExp }): string {
    if (typeof value !== "string" || !like.test(value)) throw this.#not(member, `text like ${like.source}`);
    return value;
  }

  word<const W extends string>(value: unknown, { member, of }: { member: string; of: readonly W[] }): W {
    const found = of.find((one) => one === value);
    if (found === undefined) throw this.#not(member, of.map((one) => JSON.stringify(one)).join(" or "));
    return found;
  }

  /** A number of bytes, or another count. */
  count(value: unknown, member: string): number {
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw this.#not(member, "a count");
    return value as number;
  }

  invalid(why: string): BootwrightError {
    return new BootwrightError("FORMAT_INVALID", `${this.#what}: ${why}`);
  }

  #not(member: string, wanted: string): BootwrightError {
    return this.invalid(`${member} is not ${wanted}`);
  }
}

export const SHA256 = /^[0-9a-f]{64}$/;
/** As the names of a config. */
export const NAME = /^[a-z0-9][a-z0-9._-]{0,127}$/;
/** Also part of file names: no slash, and no leading dot. */
export const VERSION = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/;
export const ARCHES = ["x86_64", "aarch64"] as const;
export type Arch = (typeof ARCHES)[number];
/** Of a kernel's configuration, without CONFIG_; `=m` marks a module. */
export const FEATURE = /^[A-Z0-9_]{1,128}(=m)?$/;
