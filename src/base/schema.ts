/** The words that every part of the config is made of. Only `schema.ts` files load this, since zod takes long to load. */
import { z } from "zod";
import { SIZE_PATTERN } from "./size.ts";

// A config is parsed once or twice: functions made for its shape would cost more than they spare.
z.config({ jitless: true });

export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]*$/;

export const nameText = () =>
  z
    .string()
    .regex(NAME_PATTERN, 'expected a name: lower-case letters, digits, ".", "_" and "-", first a letter or digit');

/** A path on the host, relative to the config's directory. */
export const hostPath = () =>
  z
    .string()
    .min(1, "expected a path")
    .refine((text) => !text.includes("\0"), "a path cannot hold a NUL character");

/** A path inside an image. */
export const imagePath = () =>
  z
    .string()
    // Aborts, so that in a union with words the words are named too.
    .regex(/^\/[^\0]*$/, { error: 'expected an absolute path inside the image, such as "/etc/motd"', abort: true })
    .refine((text) => !text.split("/").includes(".."), 'a path inside the image cannot hold ".."');

export const sizeText = () => z.string().regex(SIZE_PATTERN, 'expected a size such as "512MiB" or "1GiB"');

export const sha256Text = () =>
  z.string().regex(/^[0-9a-f]{64}$/, "expected a SHA-256 digest: 64 lower-case hex digits");

export const urlText = () =>
  z.string().regex(/^(https?|file):\/\/\S+$/, "expected an address that starts with http://, https:// or file://");

/** A key that signed a record's entries until another did. */
export const formerKey = () =>
  z
    .strictObject({
      key: hostPath().describe("minisign public key, as a file."),
      until: z.int().min(1).describe("The last entry that its signature counts for, as `history` numbers them."),
    })
    .transform(({ key: file, until }) => ({ file, until }));

/** Keys of a record that somebody else signs. */
export const recordKeys = () =>
  z.array(z.union([hostPath().transform((file) => ({ file, until: undefined })), formerKey()]));

/** An artifact of the release that runs in an environment. */
export const releasedArtifact = (what: string) => ({
  release: nameText().describe("Releases of `sources.releases` to take it from."),
  artifact: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)?$/, 'expected "ARTIFACT" or "REPOSITORY/ARTIFACT"')
    .describe(`${what} among the release's artifacts: "ARTIFACT" or "REPOSITORY/ARTIFACT".`),
  env: nameText().describe("Environment whose release is taken; the lock pins which one it was."),
});

/**
 * Permission bits as text, never as a number: YAML reads `0755` as seven hundred and fifty-five.
 * The output is the number that the bits mean.
 */
export const modeText = () =>
  z
    .string({
      error: (issue) =>
        typeof issue.input === "number" ? 'expected octal digits in quotes, such as "0755"' : undefined,
    })
    .regex(/^0?[0-7]{3,4}$/, 'expected octal digits, such as "0755"')
    .transform((text) => Number.parseInt(text, 8));

/** A user or group number. */
export const idNumber = () => z.int().min(0).max(0xffff_fffe);

export const namedMap = <T extends z.ZodType>(value: T) => z.record(nameText(), value);
