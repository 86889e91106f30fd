import { z } from "zod";
import { writtenSchema } from "../../src/config/schema.ts";

export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

/** What a person writes, so the input side: sizes as text, defaults optional. */
export function jsonSchema(reused: "inline" | "ref"): JsonSchema {
  const schema = z.toJSONSchema(writtenSchema, { io: "input", target: "draft-2020-12", reused });
  const { $schema, ...rest } = schema;
  return { $schema, title: "Bootwright project", ...rest } as JsonSchema;
}
