/** `platform`, `environments`: repositories that ship together under one version, and the way of a version to production. */
import { z } from "zod";
import { formerKey, hostPath, namedMap, nameText } from "../base/schema.ts";

/** git's rule for names of refs, narrowed to what nobody can take for an option or a pattern. */
const REF = /^[A-Za-z0-9_][\w.+-]*(\/[\w+-][\w.+-]*)*$/;

const branchName = () => z.string().regex(REF, "expected the name of a branch");

const place = () =>
  z.string().min(1, "expected a place: a directory, s3://BUCKET/PREFIX, oci://HOST/NAME or an http(s) address");

const repositorySchema = z.strictObject({
  git: z.string().min(1).describe("Address or path of the git repository."),
  trunk: branchName().default("main").describe("The branch that releases are made of."),
  check: z
    .union([
      z.enum(["none", "github"]),
      z.strictObject({
        note: z
          .string()
          .regex(REF, "expected a ref such as refs/notes/checks")
          .describe('Ref of git notes: a commit whose note is "passed" is green.'),
      }),
    ])
    .optional()
    .describe(
      'What makes a commit green: its check runs on GitHub, a git note, or "none". Default: "github" for github.com, else the note that `release check` writes.',
    ),
  publishes: z
    .union([place().transform((one) => [one]), z.array(place())])
    .default([])
    .describe("Where the repository's publications lie: a release takes its artifacts from there."),
});

const GITHUB = /^[\w.-]+\/[\w.-]+$/;

/** "owner/name" is a repository of github.com, called by its name. */
const repositoriesSchema = z.union([
  namedMap(repositorySchema),
  z
    .array(z.string().regex(GITHUB, 'expected "OWNER/NAME", a repository of github.com'))
    .min(1)
    .transform((list) =>
      Object.fromEntries(
        list.map((one) => [
          one.slice(one.indexOf("/") + 1).toLowerCase(),
          repositorySchema.parse({ git: `https://github.com/${one}` }),
        ]),
      ),
    ),
]);

export const platformSchema = z.strictObject({
  repositories: repositoriesSchema.describe('Repositories by name, or a list of "OWNER/NAME" of github.com.'),
  record: place().describe(
    "Where releases and their record lie: a directory, s3://BUCKET/PREFIX or oci://HOST/NAME; an http(s) address of such a directory, to read.",
  ),
  git: z
    .string()
    .min(1)
    .optional()
    .describe(
      "git repository that also keeps the record, in refs/bootwright/record. Default: the place alone keeps it.",
    ),
  key: nameText()
    .optional()
    .describe("Key of `keys` (ed25519) that signs the record's entries. Default: they are not signed."),
  formerKeys: z.array(formerKey()).default([]).describe("Public keys that signed the record before `key` did."),
  approvers: namedMap(hostPath())
    .default({})
    .describe("Who may approve: minisign public keys, as files, by the approver's name."),
});

export type PlatformConfig = z.output<typeof platformSchema>;
export type RepositoryConfig = z.output<typeof repositorySchema>;

export const environmentSchema = z.strictObject({
  after: nameText()
    .optional()
    .describe("Environment that a release must have run in before. Default: none, it is a first one."),
  approvals: z
    .int()
    .min(0)
    .max(16)
    .default(0)
    .describe("How many approvers must have approved a release before it is promoted here."),
});

export type EnvironmentConfig = z.output<typeof environmentSchema>;
