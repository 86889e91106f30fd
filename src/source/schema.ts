/** `sources`: where outside bytes come from. What they are pinned to stands in the lock, not here. */
import { z } from "zod";
import { hostPath, namedMap, nameText, recordKeys, releasedArtifact, sha256Text, urlText } from "../base/schema.ts";

const fileName = () =>
  z
    .string()
    .regex(/^[^/\0]{1,255}$/, "expected a file name")
    .refine((name) => !/^\.\.?$/.test(name), "expected a file name");

const debianSource = z.strictObject({
  mirror: urlText().optional().describe("Archive to take packages from. Default: the host's own apt configuration."),
  security: urlText().optional().describe("Archive of security updates."),
  suite: z.string().min(1).optional().describe('Release, such as "bookworm" or "stable".'),
  components: z.array(nameText()).min(1).default(["main"]).describe("Parts of the archive."),
  keyring: hostPath()
    .optional()
    .describe("Keyring that InRelease must verify with. Default: the distribution's archive keyring."),
  snapshot: z
    .string()
    .regex(/^\d{8}T\d{6}Z$/, 'expected a snapshot time such as "20260101T000000Z"')
    .optional()
    .describe("Time of a snapshot archive; `mirror` then names the snapshot service."),
});

const released = z.strictObject({
  ...releasedArtifact("The file"),
  name: fileName().optional().describe("File name to use instead of the artifact's name."),
});

const addressed = z.strictObject({
  url: urlText().describe("Address of the file."),
  sha256: sha256Text()
    .optional()
    .describe("Digest that the bytes must have. Default: pinned in the lock when first fetched."),
  name: fileName().optional().describe("File name to use instead of the address's last part."),
});

const fileSource = z.union([
  addressed.transform((source) => ({ type: "address" as const, ...source })),
  released.transform((source) => ({ type: "release" as const, ...source })),
]);

const gitSource = z.strictObject({
  url: z.string().min(1).describe("Repository address or path."),
  ref: z.string().min(1).describe("Branch, tag or commit; pinned to a commit in the lock."),
});

const kernelSite = z.strictObject({
  mirror: urlText()
    .transform((url) => url.replace(/\/+$/, ""))
    .prefault("https://cdn.kernel.org/pub/linux/kernel")
    .describe("Directory that holds v6.x/."),
  snapshots: urlText()
    .transform((url) => url.replace(/\/+$/, ""))
    .prefault("https://git.kernel.org/torvalds/t")
    .describe("Where tarballs of release candidates lie."),
  keyring: hostPath()
    .optional()
    .describe(
      "Keyring that sha256sums.asc must verify with. Default: the list is compared, its signature is not checked.",
    ),
});

const firmwareSource = z.union([
  z
    .strictObject({ debian: z.array(z.string().min(1)).min(1).describe("Debian packages, such as firmware-iwlwifi.") })
    .transform((source) => ({ type: "debian" as const, ...source })),
  z
    .strictObject({
      dir: hostPath().describe("A directory on the host: linux-firmware, or one that holds lib/firmware."),
    })
    .transform((source) => ({ type: "dir" as const, ...source })),
  z
    .strictObject({
      archive: z.string().min(1).describe("Path or address of an archive of such a directory."),
      sha256: sha256Text().optional().describe("Digest that its bytes must have."),
    })
    .transform((source) => ({ type: "archive" as const, ...source })),
]);

const alpineSource = z.strictObject({
  mirror: urlText()
    .transform((url) => url.replace(/\/+$/, ""))
    .describe("Mirror: the directory that holds the branches."),
  branch: z
    .string()
    .regex(/^(v\d+\.\d+|edge|latest-stable)$/, 'expected a branch such as "v3.22" or "edge"')
    .describe("Release."),
  repositories: z.array(nameText()).min(1).default(["main", "community"]).describe("Parts of the branch."),
  keys: z
    .array(hostPath())
    .min(1)
    .describe("Public keys that indexes and packages must be signed with, under the names that signatures give them."),
});

const registrySource = z.strictObject({
  plainHttp: z.boolean().default(false).describe("Speak to it without TLS: everybody on the way can read along."),
  ca: hostPath().optional().describe("Certificate (PEM) of who signed the registry's own, beside the system's."),
});

const releasesSource = z.strictObject({
  record: z
    .string()
    .min(1)
    .describe(
      "Where a platform's releases and their record lie: a directory, s3://BUCKET/PREFIX or oci://HOST/NAME; an http(s) address of such a directory, to read.",
    ),
  keys: recordKeys()
    .min(1)
    .describe(
      "minisign public keys, as files; an entry of the record that is signed with any of them counts. A key that was replaced: { key, until }.",
    ),
});

export const sourcesSchema = z.strictObject({
  releases: namedMap(releasesSource).default({}).describe("Releases of other projects' platforms, by name."),
  registries: z
    .record(
      z.string().regex(/^[\w.-]+(:\d{1,5})?$/, 'expected a registry such as "registry.example.org:5000"'),
      registrySource,
    )
    .default({})
    .describe("How registries of container images are reached, by host and port. Most need no entry."),
  firmware: firmwareSource
    .optional()
    .describe("Where firmware comes from. Default: Debian's firmware-linux-free, which has little."),
  alpine: alpineSource.optional().describe("The Alpine mirror."),
  kernel: kernelSite.prefault({}).describe("Where releases of the Linux kernel come from."),
  debian: debianSource.prefault({}).describe("The Debian (or Ubuntu) archive."),
  files: namedMap(fileSource)
    .default({})
    .describe(
      "Files to fetch, by name: from an address, or as an artifact of the release that runs in an environment.",
    ),
  git: namedMap(gitSource).default({}).describe("Git repositories, by name."),
});

export type SourcesConfig = z.output<typeof sourcesSchema>;
export type DebianSourceConfig = SourcesConfig["debian"];
export type FileSourceConfig = z.output<typeof fileSource>;
export type GitSourceConfig = z.output<typeof gitSource>;
