/** What `oci push` takes: images of the project (built first), files, layouts. Several images become an index. */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { describePlatform, type OciDescriptor, parseOciConfig } from "../formats/oci.ts";
import { parseOciContent } from "../formats/oci-content.ts";
import { type LocalFile, localArtifact } from "../oci/artifact.ts";
import type { ContentSource } from "../oci/content.ts";
import { indexOf, type LayoutSource, openLayoutSource } from "../oci/layout-content.ts";
import type { Document } from "../oci/manifests.ts";
import { parseLocation } from "../oci/reference.ts";
import { projectHere } from "./refs.ts";
import type { Session } from "./session.ts";

export interface Subject {
  readonly document: Document;
  readonly source: ContentSource;
}

export interface SubjectOptions {
  /** Of an artifact; default: by what it is. */
  readonly type?: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Found {
  readonly files: readonly LocalFile[];
  /** The kind of image, for the artifact's type. */
  readonly kind: string;
  readonly layout?: { readonly source: LayoutSource; readonly tag: string | undefined };
}

/** Throws NAME_UNKNOWN, PATH_MISSING, USAGE, and what building throws. */
export async function findSubject(
  session: Session,
  words: readonly string[],
  options: SubjectOptions,
): Promise<Subject> {
  const found = new Map<string, Found>();
  const inProject = projectHere(session) !== undefined;
  const names = inProject ? words.filter((word) => /^[a-z0-9][a-z0-9._-]*$/.test(word) && !isFile(session, word)) : [];
  if (names.length > 0) for (const [name, one] of await buildNamed(session, names)) found.set(name, one);
  for (const word of words) if (!found.has(word)) found.set(word, findPath(session, word));
  const all = words.map((word) => found.get(word)!);
  const layouts = all.flatMap(({ layout }) => layout ?? []);
  if (layouts.length === 0) {
    const [kind = "file", ...others] = new Set(all.map((one) => one.kind));
    const type = options.type ?? `application/vnd.bootwright.${others.length === 0 ? kind : "files"}.v1`;
    checkType(type);
    return localArtifact(
      all.flatMap(({ files }) => files),
      { artifactType: type, annotations: options.annotations },
    );
  }
  if (layouts.length < all.length)
    throw new BootwrightError("USAGE", "container images and other files cannot be one thing in a registry", {
      hint: "push them apart, each under its own name",
    });
  if (options.type !== undefined || Object.keys(options.annotations).length > 0)
    throw new BootwrightError("USAGE", "a container image has its type and annotations already", {
      hint: "--type and --annotation are for files",
    });
  return layouts.length === 1 ? single(layouts[0]!) : await several(layouts);
}

async function buildNamed(session: Session, names: readonly string[]): Promise<readonly (readonly [string, Found])[]> {
  const [{ openProject }, { buildImages }] = await Promise.all([import("./project.ts"), import("./build.ts")]);
  await using project = await openProject(session);
  const { built } = await buildImages(project, { images: names, digests: true });
  return built.map(({ image, artifact, file, digest: hash, size }) => {
    const { kind } = image;
    if (kind === "oci") return [image.name, layoutAt(file, undefined)] as const;
    if (artifact.kind === "tree") return [image.name, { files: filesBelow(file), kind }] as const;
    const digest = { hash: hash!, size };
    return [image.name, { files: [{ file, title: path.basename(file), digest }], kind }] as const;
  });
}

function findPath(session: Session, word: string): Found {
  const location = parseLocation(word);
  if (location.type === "registry")
    throw new BootwrightError("USAGE", `${word} is in a registry already`, { hint: "bootwright oci copy FROM TO" });
  const file = path.resolve(session.cwd, location.path);
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new BootwrightError("PATH_MISSING", `${word} is no image of a project here, and no file`, {
      hint: "name an image of the project, a file, or an OCI layout",
    });
  const isLayout = stat.isDirectory() && fs.existsSync(path.join(file, "oci-layout"));
  if (isLayout || location.archive !== undefined) return layoutAt(file, location.tag);
  if (stat.isDirectory()) return { files: filesBelow(file), kind: "directory" };
  return { files: [{ file, title: path.basename(file) }], kind: "file" };
}

const layoutAt = (file: string, tag: string | undefined): Found => ({
  files: [],
  kind: "oci",
  layout: { source: openLayoutSource(file, file), tag },
});

function single({ source, tag }: NonNullable<Found["layout"]>): Subject {
  return { document: source.resolve(tag), source };
}

/** One index of the images, each with its platform. */
async function several(layouts: readonly NonNullable<Found["layout"]>[]): Promise<Subject> {
  const descriptors: OciDescriptor[] = [];
  for (const { source, tag } of layouts) {
    const { hash, size, mediaType, bytes } = source.resolve(tag);
    const what = source.label;
    const content = parseOciContent(bytes, mediaType, what);
    if (content.kind === "index") {
      descriptors.push(...content.manifests);
      continue;
    }
    const { diffIds: _, ...platform } = parseOciConfig(await readAll(source.blob(content.config).open(0)), what);
    descriptors.push({ mediaType, hash, size, platform, annotations: new Map() });
  }
  const names = descriptors.map(({ platform }) => (platform === undefined ? "" : describePlatform(platform)));
  const twice = names.find((name, i) => name !== "" && names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new BootwrightError("USAGE", `two images are for ${twice}`, { hint: "an index has one image a platform" });
  const owner = (hash: string): LayoutSource =>
    layouts.map(({ source }) => source).find((source) => source.holds(hash)) ?? layouts[0]!.source;
  return {
    document: indexOf(descriptors),
    source: {
      label: layouts.map(({ source }) => source.label).join(", "),
      document: (descriptor) => owner(descriptor.hash).document(descriptor),
      blob: (digest) => owner(digest.hash).blob(digest),
    },
  };
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

function filesBelow(dir: string): readonly LocalFile[] {
  return fs
    .readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => fs.statSync(path.join(dir, name)).isFile())
    .sort()
    .map((title) => ({ file: path.join(dir, title), title }));
}

const isFile = ({ cwd }: Session, word: string): boolean =>
  word.includes(".") && fs.existsSync(path.resolve(cwd, word));

/** RFC 6838, 4.2: what a media type may be. */
function checkType(type: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/.test(type))
    throw new BootwrightError("USAGE", `${JSON.stringify(type)} is no media type`, {
      hint: "such as: application/vnd.example.firmware.v1",
    });
}
