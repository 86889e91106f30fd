/** `update`: how machines of this project with two slots take new releases. */
import { z } from "zod";
import { nameText } from "../base/schema.ts";

export const updateSchema = z.strictObject({
  key: nameText().optional().describe("Key of `keys`, of type ed25519, that signs updates. Default: update."),
  release: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .describe("Number of this release; raise it whenever an older one must not come back."),
  floor: z
    .int()
    .min(0)
    .default(0)
    .describe("The oldest release that a machine with this one takes, also by a signed update."),
  health: z
    .array(z.string().regex(/^[^\0\n']+$/, "expected one line without apostrophes"))
    .default([])
    .describe("Commands that must end with 0 before a new slot stays; else the machine goes back."),
  watchdog: z
    .int()
    .min(10)
    .max(3600)
    .default(120)
    .describe("Seconds from the initramfs to a healthy system; a slot that takes longer is given up."),
});

export type UpdateConfig = z.output<typeof updateSchema>;
