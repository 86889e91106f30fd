/** `sign` of an image → a stage behind it. */
import fs from "node:fs";
import path from "node:path";
import { hasSecret, keyFiles } from "../sign/key-files.ts";
import { loadSigner } from "../sign/load-signer.ts";
import { signStage } from "../sign/sign-stage.ts";
import { type BlobInput, blobOf, type OutputRef } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { localBlob, localTree } from "./sources.ts";

export interface Signing {
  /** Of the stage, and for whoever signs: "uki:host". */
  readonly name: string;
  /** Key of the config; undefined: the image stays as it is. */
  readonly key: string | undefined;
  readonly facts?: Readonly<Record<string, string>>;
}

/** The signed image, or the image itself when the config does not ask for a signature. */
export function signed<I extends BlobInput>(
  ctx: PlanContext,
  image: I,
  { name, key, facts = {} }: Signing,
): I | OutputRef<BlobArtifact> {
  if (key === undefined) return image;
  return ctx.once(`sign:${name}`, () => {
    const config = ctx.config.keys[key]!;
    const projectDir = ctx.config.dir;
    const stage = signStage({
      name: `sign:${name}`,
      image,
      key,
      certificate: localBlob(ctx, keyFiles(config.file).certificate),
      signatures: fs.existsSync(path.resolve(projectDir, ctx.config.signatures))
        ? localTree(ctx, ctx.config.signatures)
        : undefined,
      signer: hasSecret(config, projectDir) ? () => loadSigner(config, projectDir) : undefined,
      what: name.replace(":", " "),
      facts,
    });
    return blobOf(stage, "image");
  });
}
