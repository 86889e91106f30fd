import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const verify = defineCommand({
  args: [
    {
      name: "ref",
      required: true,
      complete: "image",
      summary:
        "an image's name, a digest, a file, a directory in the place of a system partition; oci://…, s3://…, github:…, a layout; env:NAME[/ARTIFACT], what runs there",
    },
  ],
  flags: {
    policy: {
      type: "string",
      value: "FILE",
      summary: "what must hold: YAML or JSON (default: the project's own Secure Boot keys)",
      complete: "file",
    },
    from: { type: "string", value: "NAME", summary: "whose environment: one of `sources.releases`" },
    "plain-http": { type: "boolean", summary: "speak to the registry without TLS" },
    ca: { type: "string", value: "FILE", summary: "certificate of who signed the registry's (PEM)", complete: "file" },
  },
  examples: [
    { run: "bootwright verify disk", says: "an image of the project, by the project's keys" },
    { run: "bootwright verify ./disk.img --policy policy.yaml", says: "any disk, ISO image or EFI file, by a policy" },
    { run: "bootwright verify ./disk.img --policy policy.yaml --json", says: "for programs" },
    { run: "bootwright verify oci://registry.example.org/team/kernel:6.12 --policy policy.yaml", says: "who made it" },
    { run: "bootwright verify env:prod --policy policy.yaml", says: "from what runs in prod back to its sources" },
  ],
  about:
    "Follows the chain from what firmware starts to the last block of the root: the partition table and its copy, the signatures of every EFI program, versions, and the dm-verity images that a UKI opens by a root hash. With `provenance` in the policy: whether who signed an artifact and said how it was made is trusted, and from what it was made; the evidence lies in the registry, or beside the file (FILE.intoto.jsonl, FILE.sig). With `env:NAME`: the record, the pointer, its approvals, the release, and of each artifact bytes, signature, provenance and bill of materials. It exits 7 and names each violation when something does not hold.",
  run: async ({ args: [ref = ""], flags, session }) =>
    (await import("../../api/verify.ts")).verify(session, {
      ref,
      ...given({ policy: flags.policy, plainHttp: flags["plain-http"], ca: flags.ca, from: flags.from }),
    }),
});
