/** `keys`, `secureBoot`: what the project signs with. The config names files; the keys themselves never pass through it. */
import { z } from "zod";
import { hostPath, nameText, sha256Text } from "../base/schema.ts";

export const KEY_TYPES = ["rsa2048", "rsa3072", "rsa4096", "p256", "p384", "ed25519"] as const;

export const keySchema = z.strictObject({
  file: hostPath().describe(
    "Path of the key's files without their endings: FILE.key is the secret (PKCS #8, PEM), FILE.crt its certificate, FILE.pub the public part of an ed25519 key.",
  ),
  type: z
    .enum(KEY_TYPES)
    .optional()
    .describe(
      'What `keys init` makes. Default: "ed25519" for the key named catalog, else "rsa2048", which all firmware knows.',
    ),
  subject: z
    .string()
    .regex(/^[^\0\n]{1,64}$/, "expected one line of at most 64 characters")
    .optional()
    .describe("Common name in the certificate. Default: the project's name and the key's."),
  days: z.int().min(1).max(36500).default(3650).describe("How long the certificate is valid."),
  passphrase: hostPath().optional().describe("File with the passphrase of FILE.key; its last newline does not count."),
  pkcs11: z
    .string()
    .regex(/^pkcs11:\S+$/, 'expected a PKCS #11 URI, such as "pkcs11:token=hsm;object=db"')
    .optional()
    .describe(
      "The secret lies in a token: its PKCS #11 URI (RFC 7512), used through OpenSSL's engine. FILE.crt is then given by you.",
    ),
});

export const secureBootSchema = z.strictObject({
  pk: nameText().optional().describe("Key of `keys` that owns the platform. Default: pk."),
  kek: nameText().optional().describe("Key of `keys` that may change db and dbx. Default: kek."),
  db: z.array(nameText()).min(1).optional().describe("Keys of `keys` whose programs firmware starts. Default: [db]."),
  trust: z
    .array(hostPath())
    .default([])
    .describe("Further certificates for db, as files: a vendor's, such as Microsoft's for option ROMs."),
  revoke: z
    .array(z.union([sha256Text(), hostPath()]))
    .default([])
    .describe("What firmware refuses (dbx): Authenticode digests, or certificates as files."),
});

export type KeyConfig = z.output<typeof keySchema>;
export type KeyType = (typeof KEY_TYPES)[number];
