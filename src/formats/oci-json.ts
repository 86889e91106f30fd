/** Typed reads of JSON that came from outside: what is missing or of another type is FORMAT_INVALID, named by its place. */
import { BootwrightError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";

export class JsonFields {
  readonly #object: Readonly<Record<string, unknown>>;
  /** The document, and the way to this object. */
  readonly #where: string;

  private constructor(object: Readonly<Record<string, unknown>>, where: string) {
    this.#object = object;
    this.#where = where;
  }

  /** `what` names the document in errors. Throws FORMAT_INVALID. */
  static parse(bytes: Uint8Array, what: string): JsonFields {
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (error) {
      throw new BootwrightError("FORMAT_INVALID", `${what}: not JSON`, { cause: error });
    }
    return JsonFields.of(value, what);
  }

  static of(value: unknown, where: string): JsonFields {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw unexpected(where, "an object");
    return new JsonFields(value as Record<string, unknown>, where);
  }

  /** All of it. */
  get whole(): Json {
    return this.#object as Json;
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  text(key: string): string {
    const value = this.#get(key);
    if (typeof value !== "string") throw this.unexpected(key, "a text");
    return value;
  }

  optionalText(key: string): string | undefined {
    return this.#get(key) === undefined ? undefined : this.text(key);
  }

  /** As it is; absent is null. */
  value(key: string): Json {
    return (this.#get(key) ?? null) as Json;
  }

  /** A whole number from 0. */
  count(key: string): number {
    const value = this.#get(key);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
      throw this.unexpected(key, "a whole number from 0");
    return value;
  }

  object(key: string): JsonFields {
    return JsonFields.of(this.#get(key), `${this.#where}: ${key}`);
  }

  optionalObject(key: string): JsonFields | undefined {
    return this.#get(key) === undefined ? undefined : this.object(key);
  }

  /** At most `most` items: LIMIT_EXCEEDED. */
  list<T>(key: string, read: (item: unknown, where: string) => T, most: number): readonly T[] {
    const value = this.#get(key);
    if (!Array.isArray(value)) throw this.unexpected(key, "a list");
    if (value.length > most)
      throw new BootwrightError(
        "LIMIT_EXCEEDED",
        `${this.#where}: ${key} has ${value.length} items; at most ${most} are read`,
      );
    return value.map((item, i) => read(item, `${this.#where}: ${key}[${i}]`));
  }

  /** A map of texts; absent is empty. */
  texts(key: string): ReadonlyMap<string, string> {
    const fields = this.optionalObject(key);
    if (fields === undefined) return new Map();
    return new Map(Object.keys(fields.#object).map((name) => [name, fields.text(name)]));
  }

  unexpected(key: string, expected: string): BootwrightError {
    return unexpected(`${this.#where}: ${key}`, expected);
  }

  /** JSON's null stands for "absent", as Go's encoder writes it. */
  #get(key: string): unknown {
    return Object.hasOwn(this.#object, key) ? (this.#object[key] ?? undefined) : undefined;
  }
}

const unexpected = (where: string, expected: string) =>
  new BootwrightError("FORMAT_INVALID", `${where}: expected ${expected}`);
