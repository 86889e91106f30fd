/** `keys`: what the project signs with. The config names files; the keys themselves never pass through it. */
import { z } from "zod";
import { hostPath } from "../base/schema.ts";

export const keySchema = z.strictObject({
  file: hostPath().describe(
    "Path of the key's files without their endings: FILE.key is the secret (PKCS #8, PEM), FILE.pub the public part.",
  ),
});

export type KeyConfig = z.output<typeof keySchema>;
