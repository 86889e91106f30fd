/** Says of an image how it was made, as files beside it: statements, and with a key their signatures. */
import fs from "node:fs";
import path from "node:path";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { writeFileAtomic } from "../base/fs.ts";
import { packageVersion } from "../base/own-package.ts";
import { didYouMean } from "../base/suggest.ts";
import { signEnvelope } from "../formats/dsse.ts";
import { INTOTO_PAYLOAD } from "../formats/intoto.ts";
import { planProvenance } from "../plan/provenance.ts";
import { publicPath } from "../provenance/material.ts";
import { type BuildFacts, LOCAL_BUILDER } from "../provenance/slsa.ts";
import { type DocumentSigner, loadDocumentSigner } from "../sign/payload-signer.ts";
import { buildImages } from "./build.ts";
import { openProject, type Project } from "./project.ts";
import { projectCommit } from "./project-commit.ts";
import type { Report, Session } from "./session.ts";

export interface ProvenanceOptions {
  readonly image: string;
  /** Default: all. */
  readonly format?: ProvenanceFormat | undefined;
  /** A key of the config, which signs. */
  readonly key?: string | undefined;
  /** A URI; default: of nobody in particular. */
  readonly builder?: string | undefined;
}

export const PROVENANCE_FORMATS = ["slsa", "spdx", "cyclonedx"] as const;
export type ProvenanceFormat = (typeof PROVENANCE_FORMATS)[number];

const ENDINGS = { slsa: ".intoto.json", spdx: ".spdx.json", cyclonedx: ".cdx.json" } as const satisfies Record<
  ProvenanceFormat,
  string
>;

export async function provenance(session: Session, options: ProvenanceOptions): Promise<Report> {
  await using project = await openProject(session);
  const signer = options.key === undefined ? undefined : documentSigner(project, options.key);
  const facts = await buildFacts(project, options);
  const { built, run, plan } = await buildImages(project, {
    images: [options.image],
    digests: true,
    extra: (image, ctx) => Object.values(planProvenance(ctx, image, facts)),
  });
  const { image, artifact, file, digest } = built[0]!;
  const planned = planProvenance(plan.ctx, image, facts);
  const written: { kind: string; file: string; digest: string }[] = [];
  const write = (kind: string, ending: string, bytes: Uint8Array | string) => {
    writeFileAtomic(`${file}${ending}`, bytes);
    written.push({ kind, file: `${file}${ending}`, digest: `sha256:${digestOf(bytes).hash}` });
  };
  for (const format of options.format === undefined ? PROVENANCE_FORMATS : [options.format]) {
    const ref = planned[format];
    const bytes = project.store.blobs.readAll(run.output(ref.stage, ref.output));
    write(format, ENDINGS[format], bytes);
    if (signer !== undefined && format === "slsa")
      write("envelope", ".intoto.jsonl", `${await signEnvelope(bytes, { payloadType: INTOTO_PAYLOAD, signer })}\n`);
    else if (signer !== undefined) write("signature", `${ENDINGS[format]}.sig`, base64Line(await signer.sign(bytes)));
  }
  if (signer !== undefined && artifact.kind !== "tree" && options.format === undefined)
    write("signature", ".sig", base64Line(await signer.signFile(fs.realpathSync(file))));
  const shown = (name: string) => path.relative(session.cwd, name);
  return {
    data: {
      image: image.name,
      file,
      digest: `sha256:${digest!}`,
      written: written.map((one) => ({ ...one })),
    },
    text: written.map((one) => `${shown(one.file)}  ${one.kind}  ${one.digest.slice(0, 19)}`).join("\n"),
    quiet: written.map((one) => one.file).join("\n"),
    summary:
      signer === undefined
        ? "not signed; with a key of the config: --key NAME"
        : `next: bootwright verify ${shown(file)} --policy FILE`,
  };
}

/** As cosign writes a signature. */
export const base64Line = (signature: Uint8Array): string => `${Buffer.from(signature).toString("base64")}\n`;

/** What is known of a build here, and may be told. */
export async function buildFacts(
  project: Project,
  { builder }: { readonly builder?: string | undefined } = {},
): Promise<BuildFacts> {
  if (builder !== undefined && !/^[a-z][a-z0-9+.-]*:\S+$/i.test(builder))
    throw new BootwrightError("USAGE", `${JSON.stringify(builder)} is no URI`, {
      hint: "such as: https://ci.example.org/runners/release",
    });
  const files = project.configFiles.map((file) => ({
    name: publicPath(path.relative(project.config.dir, file)),
    sha256: digestOf(fs.readFileSync(file)).hash,
  }));
  const commit = await projectCommit(project);
  return {
    ...(commit !== undefined && { commit }),
    builder: builder ?? LOCAL_BUILDER,
    version: packageVersion(),
    profiles: project.session.profiles,
    configFiles: files.sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** Throws NAME_UNKNOWN, and what loading a key throws. */
export function documentSigner({ config }: Project, name: string): DocumentSigner {
  const key = config.keys[name];
  if (key !== undefined) return loadDocumentSigner(key, config.dir);
  const names = Object.keys(config.keys);
  throw new BootwrightError("NAME_UNKNOWN", `no key is named "${name}"${didYouMean(name, names)}`, {
    hint:
      names.length === 0
        ? 'add: keys: { release: { file: "./keys/release", type: "p256" } }'
        : `keys: ${names.join(", ")}`,
  });
}
