/** What publications of images need of the rest of the config. */
import { missingWord, type TemplateValues } from "../publish/schema.ts";
import type { ConfigIssue } from "./issue.ts";
import type { ProjectOutput } from "./schema.ts";

type ImagePublication = Extract<ProjectOutput["publish"][string], { image: string }>;

export function publishIssues(config: ProjectOutput): readonly ConfigIssue[] {
  const all = Object.entries(config.publish).flatMap(([name, one]) => ("image" in one ? [{ name, one }] : []));
  return [
    ...all.flatMap(({ name, one }) => issuesOf(config, { name, one })),
    ...all.flatMap(({ name, one }, i) => sharedTags(all.slice(0, i), { name, one })),
  ];
}

function issuesOf(config: ProjectOutput, { name, one }: { name: string; one: ImagePublication }): ConfigIssue[] {
  const at = ["publish", name];
  const issues: ConfigIssue[] = [];
  const templates = [
    ...(one.name === undefined ? [] : [{ path: [...at, "name"], template: one.name }]),
    ...(one.immutable ?? []).map((template, i) => ({ path: [...at, "immutable", i], template })),
  ];
  for (const { path, template } of templates) {
    const word = missingWord(template, valuesOf(config, one));
    if (word === "version")
      issues.push({ path, message: 'the project has no version: `version: "0.1.0"`', mark: "value" });
    if (word === "kernel.release")
      issues.push({ path, message: `{kernel.release}: the image "${one.image}" has no kernel`, mark: "value" });
  }
  const kind = kindOf(one.to);
  if (one.index !== undefined && kind !== "files")
    issues.push({
      path: [...at, "index"],
      message: "lists lie beside files in a directory or a bucket only",
      mark: "key",
    });
  if (one.sign !== undefined && kind === "registry")
    issues.push({ path: [...at, "sign"], message: "signs SHA256SUMS, which a registry does not have", mark: "key" });
  const key = one.sign === undefined ? undefined : config.keys[one.sign];
  if (key !== undefined && (key.type ?? (one.sign === "catalog" ? "ed25519" : "")) !== "ed25519")
    issues.push({ path: [...at, "sign"], message: `the key "${one.sign}" is not of type ed25519`, mark: "value" });
  if (kind === "files" && one.immutable !== undefined)
    issues.push({
      path: [...at, "immutable"],
      message: "files have one name: `name`; tags are a registry's",
      mark: "key",
    });
  const others = Object.values(config.publish).flatMap((two) =>
    "image" in two && two.to === one.to ? [two.sign] : [],
  );
  if (kind !== "registry" && others.some((sign) => sign !== one.sign))
    issues.push({ path: at, message: `what goes to ${one.to} has one list, and one key: \`sign\``, mark: "key" });
  if (kind === "github") {
    if (one.immutable === undefined && config.version === undefined)
      issues.push({ path: at, message: 'a release has a version: `version: "0.1.0"` of the project', mark: "key" });
    if (one.immutable !== undefined && one.immutable.length !== 1)
      issues.push({ path: [...at, "immutable"], message: "a GitHub release has one tag", mark: "value" });
    if (one.moving.some((moving) => moving !== "latest"))
      issues.push({ path: [...at, "moving"], message: 'GitHub has one moving name: "latest"', mark: "value" });
  }
  return issues;
}

/** A tag can lead to one thing. */
function sharedTags(
  before: readonly { name: string; one: ImagePublication }[],
  { name, one }: { name: string; one: ImagePublication },
): readonly ConfigIssue[] {
  if (kindOf(one.to) !== "registry") return [];
  const other = before.find((earlier) => earlier.one.to === one.to);
  if (other === undefined) return [];
  const message = `"${other.name}" is published to ${one.to} already: a repository's tags mean one thing`;
  return [{ path: ["publish", name, "to"], message, mark: "value" }];
}

const kindOf = (to: string): "registry" | "github" | "files" =>
  to.startsWith("oci://") ? "registry" : to.startsWith("github:") ? "github" : "files";

/** Stand-ins: which words have a value is known before anything is built. */
function valuesOf(config: ProjectOutput, { image }: ImagePublication): TemplateValues {
  const known = { name: "", image: "", arch: "", key: "", sha256: "" };
  return {
    ...known,
    ...(config.version !== undefined && { version: "" }),
    ...(hasKernel(config, image) && { "kernel.release": "" }),
  };
}

function hasKernel({ images }: ProjectOutput, name: string): boolean {
  const image = images[name];
  if (image === undefined) return true; // Said elsewhere.
  if (image.kind === "iso") return hasKernel({ images } as ProjectOutput, image.boot);
  return ["uki", "efi", "kernel", "microvm"].includes(image.kind);
}
