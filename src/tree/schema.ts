/** `trees`, and the part of `initramfs` that says which files there are: origins in order, then removals, users and files. */
import { z } from "zod";
import { hostPath, idNumber, imagePath, modeText, namedMap, nameText, sha256Text, sizeText } from "../base/schema.ts";
import { parseSize } from "../base/size.ts";

/** As `oci` names an image in a registry. */
const IN_REGISTRY = /^(?:docker|oci):\/\//;

const ownership = {
  mode: modeText().optional().describe('Permission bits, such as "0755".'),
  uid: idNumber().default(0).describe("Owner's number."),
  gid: idNumber().default(0).describe("Group's number."),
};

const executable = z.boolean().default(false).describe('Short for mode "0755".');

const DEVICE = /^([cb]) (\d{1,7}) (\d{1,7})$/;

const content = z
  .strictObject({ content: z.string().describe("The file's text."), executable, ...ownership })
  .transform((file) => ({ type: "content" as const, ...file }));

const copied = z
  .strictObject({ file: hostPath().describe("File on the host to copy."), executable, ...ownership })
  .transform((file) => ({ type: "file" as const, ...file }));

const fetched = z
  .strictObject({ source: nameText().describe("A name of `sources.files`."), executable, ...ownership })
  .transform((file) => ({ type: "source" as const, ...file }));

const symlink = z
  .strictObject({ symlink: z.string().min(1).describe("The link's target."), uid: ownership.uid, gid: ownership.gid })
  .transform(({ symlink: target, ...rest }) => ({ type: "symlink" as const, target, ...rest }));

const device = z
  .strictObject({
    device: z
      .string()
      .regex(DEVICE, 'expected a device such as "c 5 1": c or b, major and minor number')
      .describe('"c MAJOR MINOR" or "b MAJOR MINOR".'),
    ...ownership,
  })
  .transform(({ device: text, ...rest }) => {
    const [, kind, major, minor] = DEVICE.exec(text)!;
    return { type: "device" as const, kind: kind as "c" | "b", major: Number(major), minor: Number(minor), ...rest };
  });

const directory = z
  .strictObject({ directory: z.literal(true).describe("An empty directory."), ...ownership })
  .transform(({ directory: _, ...rest }) => ({ type: "directory" as const, ...rest }));

const text = z
  .string()
  .transform((content) => ({ type: "content" as const, content, executable: false, mode: undefined, uid: 0, gid: 0 }));

const fileSchema = z.union([text, content, copied, fetched, symlink, device, directory]);

const filesSchema = z.record(imagePath(), fileSchema);

const to = imagePath().default("/").describe("Directory of the image to put it in.");

/** As in apk's world: a name, and a version if need be. */
const alpinePackage = z
  .string()
  .regex(
    /^[A-Za-z0-9@:./+_-]+([<>=~]+[A-Za-z0-9._~+-]+)?$/,
    'expected a package, or one with a version: "busybox>=1.36"',
  );

const originSchema = z.union([
  z
    .strictObject({
      debian: z
        .array(z.string().min(1))
        .describe("Package names. A whole root is installed: these, what they depend on, and Debian's base system."),
      unpack: z
        .boolean()
        .default(false)
        .describe("Unpack exactly these packages instead, without their dependencies and scripts."),
      variant: z
        .enum(["required", "essential"])
        .optional()
        .describe(
          'The base system: "required" (default; debootstrap calls it minbase), or only what is "essential", without apt.',
        ),
      recommends: z.boolean().optional().describe("Install what is recommended, too. Default: false."),
      scripts: z
        .boolean()
        .optional()
        .describe(
          "Run the packages' scripts, in a sandbox. Default: true. Without them a root for any architecture is made on any machine, and what the scripts would set up is not there, but for accounts and certificates.",
        ),
      to,
    })
    .superRefine(({ debian, unpack, variant, recommends, scripts }, ctx) => {
      const issue = (key: string, message: string) => ctx.addIssue({ code: "custom", path: [key], message });
      if (unpack && debian.length === 0) issue("debian", "expected at least one package to unpack");
      if (unpack && variant !== undefined) issue("variant", "only for a whole root: leave out unpack");
      if (unpack && recommends !== undefined) issue("recommends", "only for a whole root: leave out unpack");
      if (unpack && scripts !== undefined) issue("scripts", "only for a whole root: leave out unpack");
    })
    .transform(({ debian: packages, variant = "required" as const, recommends = false, scripts = true, ...rest }) => ({
      type: "debian" as const,
      packages,
      variant,
      recommends,
      scripts,
      ...rest,
    })),
  z
    .strictObject({
      alpine: z
        .union([z.array(alpinePackage).min(1), hostPath()])
        .describe(
          "Packages of Alpine to install, with all that they depend on: a list, or a file with one a line. Needs `sources.alpine`.",
        ),
      scripts: z
        .boolean()
        .default(true)
        .describe("Run the packages' scripts and triggers, in a sandbox; without them BusyBox has no links."),
      to,
    })
    .transform(({ alpine: packages, ...rest }) => ({ type: "alpine" as const, packages, ...rest })),
  z
    .strictObject({ dir: hostPath().describe("Directory on the host."), to })
    .transform((origin) => ({ type: "dir" as const, ...origin })),
  z
    .strictObject({
      archive: z.string().min(1).describe("Path or address of a tar, cpio or deb file."),
      sha256: sha256Text().optional().describe("Digest that its bytes must have."),
      strip: z.int().min(0).max(32).default(0).describe("Leading path components to drop."),
      to,
    })
    .transform((origin) => ({ type: "archive" as const, ...origin })),
  z
    .strictObject({
      oci: hostPath()
        .refine(
          (text) => !IN_REGISTRY.test(text) || /^[a-z]+:\/\/[^/\s]+\/[^\s]+$/.test(text),
          'expected a reference such as "docker://registry.example.org/team/base:1.2"',
        )
        .describe(
          "Container image: an OCI image layout (a directory, or a tar of one), or docker://HOST/NAME:TAG in a registry, pinned to a digest in the lock.",
        ),
      tag: z.string().min(1).optional().describe("The image's name in the layout. Default: the only image."),
      to,
    })
    .refine(({ oci, tag }) => tag === undefined || !IN_REGISTRY.test(oci), {
      error: "the tag of an image in a registry stands in its reference: docker://HOST/NAME:TAG",
      path: ["tag"],
    })
    .transform(({ oci, ...rest }) =>
      IN_REGISTRY.test(oci)
        ? { type: "image" as const, image: oci.replace(IN_REGISTRY, ""), to: rest.to }
        : { type: "oci" as const, layout: oci, ...rest },
    ),
  z
    .strictObject({
      git: z.string().min(1).describe("Repository address or path."),
      ref: z.string().min(1).describe("Branch, tag or commit."),
      subdir: z.string().min(1).optional().describe("Only this directory of the repository."),
      to,
    })
    .transform(({ git: url, ...rest }) => ({ type: "git" as const, url, ...rest })),
  z
    .strictObject({ files: filesSchema.describe("Files by path."), to })
    .transform((origin) => ({ type: "files" as const, ...origin })),
  z
    .strictObject({
      modules: z
        .union([z.literal("all"), z.array(z.string().min(1)).min(1)])
        .describe('Kernel modules, with what they depend on and with the indexes for modprobe; or "all".'),
      kernel: nameText().optional().describe("Of which kernel. Default: the only one."),
      to,
    })
    .transform((origin) => ({ type: "modules" as const, ...origin })),
  z
    .strictObject({
      firmware: z
        .union([z.literal("all").transform(() => ["**"]), z.array(z.string().min(1)).min(1)])
        .describe('Names or glob patterns of firmware below /lib/firmware, with what links lead to; or "all".'),
      to,
    })
    .transform((origin) => ({ type: "firmware" as const, ...origin })),
  z
    .strictObject({
      updater: z
        .literal(true)
        .describe(
          "What a machine updates itself with: the program bootwright-update, its settings, and the key it trusts.",
        ),
      to,
    })
    .transform(({ to }) => ({ type: "updater" as const, to })),
  z
    .strictObject({ tree: nameText().describe("Another tree of this project."), to })
    .transform((origin) => ({ type: "tree" as const, ...origin })),
  z
    .strictObject({
      source: nameText().describe("A name of `sources.files` or `sources.git`."),
      subdir: z.string().min(1).optional().describe("Only this directory of it."),
      strip: z.int().min(0).max(32).default(0).describe("Leading path components to drop."),
      to,
    })
    .transform((origin) => ({ type: "source" as const, ...origin })),
]);

const userSchema = z.strictObject({
  uid: idNumber().optional().describe("Default: the next free number from 1000; 0 for root."),
  gid: idNumber().optional().describe("Primary group. Default: a group of the user's own."),
  groups: z.array(nameText()).default([]).describe("Further groups, by name, that the user is a member of."),
  shell: imagePath().optional().describe("Login shell. Default: /bin/sh."),
  home: imagePath().optional().describe("Home directory. Default: /home/NAME, /root for root."),
  password: z
    .union([
      z.enum(["none", "locked"]),
      z.string().regex(/^\$[0-9a-z]+\$[^:\n]+$/, { error: 'expected a crypt hash such as "$6$…"', abort: true }),
    ])
    .optional()
    .describe('"none" logs in without one, "locked" (default) never; else a crypt hash.'),
  sshKeys: hostPath().optional().describe("Public keys to authorize."),
});

const groupSchema = z.strictObject({
  gid: idNumber().optional().describe("Default: the next free number from 1000."),
});

const permissionSchema = z.strictObject({
  mode: modeText().optional().describe("Permission bits."),
  uid: idNumber().optional().describe("Owner's number."),
  gid: idNumber().optional().describe("Group's number."),
});

/** What trees and initramfs share; each adds its own keys. */
export const treeContentShape = {
  from: z.array(originSchema).default([]).describe("What the tree is made of; later origins win."),
  remove: z.array(z.string().min(1)).default([]).describe("Glob patterns of paths to leave out, after `from`."),
  files: filesSchema.default({}).describe("Files by path, on top of everything else."),
  users: namedMap(userSchema)
    .default({})
    .describe("Users, written to /etc/passwd, group and shadow. Of one that is there, only what is said is changed."),
  groups: namedMap(groupSchema).default({}).describe("Groups, written to /etc/group."),
  hostname: z
    .string()
    .regex(
      /^[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?$/,
      "expected a host name: letters, digits and hyphens, at most 64",
    )
    .optional()
    .describe("Written to /etc/hostname, and to /etc/hosts as the machine itself."),
  strip: z
    .boolean()
    .default(false)
    .describe("Take symbols and debugging out of programs, libraries and kernel modules, as strip(1) does."),
  budget: sizeText()
    .transform(parseSize)
    .optional()
    .describe("What its files may weigh in all, not compressed: a build past that fails, and lists the ten largest."),
  permissions: z.record(imagePath(), permissionSchema).default({}).describe("Modes and owners by path, set last."),
};

export const treeSchema = z.strictObject(treeContentShape);

export type TreeConfig = z.output<typeof treeSchema>;
export type TreeOrigin = z.output<typeof originSchema>;
export type TreeFile = z.output<typeof fileSchema>;
export type TreeUser = z.output<typeof userSchema>;
