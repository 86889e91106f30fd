/** What refers to a verified image must refer to one; where it belongs when that is left out. */
import type { InitramfsConfig } from "../initramfs/schema.ts";
import type { ConfigIssue } from "./issue.ts";
import type { ConfigPath } from "./path.ts";
import type { ProjectOutput } from "./schema.ts";

export type ResolvedVerify = readonly {
  readonly image: string;
  readonly device: string;
  /** Where the hash tree lies, when it is apart. */
  readonly hashes: string | undefined;
  readonly mount: string;
}[];

export function resolveVerify(
  config: ProjectOutput,
  { name, initramfs }: { name: string; initramfs: Pick<InitramfsConfig, "verify" | "root"> },
): { readonly verify: ResolvedVerify; readonly issues: readonly ConfigIssue[] } {
  const path = ["initramfs", name, "verify"];
  const issues: ConfigIssue[] = initramfs.verify.flatMap(({ image }, i) =>
    unverified(config, { image, path: [...path, i] }),
  );
  const verify = initramfs.verify.map(({ image, device, hashes, mount }, i) => ({
    image,
    device: device ?? `PARTLABEL=${image}`,
    hashes: hashDevice(config, { image, hashes }),
    mount: mount ?? (i === 0 ? "/" : ""),
  }));
  for (const [i, { mount, image }] of verify.entries())
    if (mount === "")
      issues.push({ path: [...path, i], message: `say where "${image}" belongs: mount`, mark: "value" });
  if (verify.length > 0 && !initramfs.root)
    issues.push({ path, message: "needs `root: true`: what is verified is the root that is led to", mark: "key" });
  if (verify.length > 0 && !verify.some(({ mount }) => mount === "/"))
    issues.push({ path, message: 'needs one image with mount "/"', mark: "key" });
  return { verify, issues };
}

export function verityIssues(config: ProjectOutput): readonly ConfigIssue[] {
  return Object.entries(config.images).flatMap(([name, image]) => {
    if (image.kind === "verity-tree") return notApart(config, { image: image.of, path: ["images", name, "of"] });
    if (image.kind === "verity-signature") return unverified(config, { image: image.of, path: ["images", name, "of"] });
    if (image.kind !== "uki" || image.verity === undefined) return [];
    return unverified(config, { image: image.verity.image, path: ["images", name, "verity", "image"] });
  });
}

/** Where the hash tree of an image lies; undefined: behind the image. */
export function hashDevice(
  { images }: { readonly images: Readonly<Record<string, object>> },
  { image, hashes }: { image: string; hashes?: string | undefined },
): string | undefined {
  const found = images[image];
  return found !== undefined && "verity" in found && found.verity === "apart"
    ? (hashes ?? `PARTLABEL=${image}-verity`)
    : undefined;
}

function notApart(config: ProjectOutput, { image: name, path }: { image: string; path: ConfigPath }) {
  const issues = unverified(config, { image: name, path });
  const image = config.images[name];
  if (issues.length > 0 || image === undefined || hashDevice(config, { image: name }) !== undefined) return issues;
  return [
    { path, message: `the hash tree of "${name}" is behind it: give it \`verity: "apart"\``, mark: "value" as const },
  ];
}

function unverified(
  { images }: ProjectOutput,
  { image: name, path }: { image: string; path: ConfigPath },
): readonly ConfigIssue[] {
  const image = images[name];
  if (image === undefined || ("verity" in image && (image.verity === true || image.verity === "apart"))) return []; // A wrong name is said elsewhere.
  const fits = image.kind === "squashfs" || image.kind === "erofs" || image.kind === "ext4";
  const message = fits
    ? `"${name}" has no hash tree: give it \`verity: true\``
    : `"${name}" is of kind "${image.kind}"; images of kind "squashfs", "erofs" and "ext4" can be verified`;
  return [{ path, message, mark: "value" }];
}
