/** `sign` of an image → a stage behind it. */
import fs from "node:fs";
import path from "node:path";
import { hasSecret, keyFiles } from "../sign/key-files.ts";
import { loadSigner } from "../sign/load-signer.ts";
import { pcrKeyStage, pcrStage } from "../sign/pcr-stage.ts";
import { signStage } from "../sign/sign-stage.ts";
import { type BlobInput, blobOf, type ExtentsInput, type OutputRef } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { localBlob, localTree } from "./sources.ts";

export interface Signing {
  /** Of the stage, and for whoever signs: "uki:host". */
  readonly name: string;
  /** Key of the config; undefined: the image stays as it is. */
  readonly key: string | undefined;
  readonly facts?: Readonly<Record<string, string>>;
  /** What the image lacks before it can be signed: modules' signatures, policies for TPMs. */
  readonly pending?: readonly BlobInput[];
}

/** The signed image, or the image itself when the config does not ask for a signature. */
export function signed<I extends BlobInput>(
  ctx: PlanContext,
  image: I,
  { name, key, facts = {}, pending = [] }: Signing,
): I | OutputRef<BlobArtifact> {
  return key === undefined ? image : signedBy(ctx, image, { name, key, facts, pending });
}

/** As `signed`, where the config asks for it. */
export function signedBy(
  ctx: PlanContext,
  image: BlobInput | ExtentsInput,
  { name, key, facts = {}, pending = [] }: Signing & { readonly key: string },
): OutputRef<BlobArtifact> {
  return ctx.once(`sign:${name}`, () => {
    const stage = signStage({
      name: `sign:${name}`,
      image,
      pending,
      ...keyInputs(ctx, key),
      what: name.replace(":", " "),
      facts,
    });
    return blobOf(stage, "image");
  });
}

/** `pcr.sign` of a UKI: its public key goes in before it is put together … */
export const pcrKey = (ctx: PlanContext, key: string): OutputRef<BlobArtifact> =>
  ctx.once(`pcr-key:${key}`, () => {
    const certificate = localBlob(ctx, keyFiles(ctx.config.keys[key]!.file).certificate);
    return blobOf(pcrKeyStage({ name: `pcr-key:${key}`, key, certificate }), "section");
  });

/** … and the signed policies when it is known what will be measured. */
export function pcrSigned(
  ctx: PlanContext,
  image: OutputRef<BlobArtifact>,
  { name, key, pending }: { name: string; key: string; pending: readonly BlobInput[] },
): { readonly image: OutputRef<BlobArtifact>; readonly pending: OutputRef<BlobArtifact> } {
  return ctx.once(`pcr:${name}`, () => {
    const what = `${name.replace(":", " ")}, TPM policy`;
    const stage = pcrStage({ name: `pcr:${name}`, image, pending, ...keyInputs(ctx, key), what });
    return { image: blobOf(stage, "image"), pending: blobOf(stage, "wanted") };
  });
}

/** What signing stages take of a key, whether its secret is here or not. */
export function keyInputs(ctx: PlanContext, key: string) {
  const config = ctx.config.keys[key]!;
  const projectDir = ctx.config.dir;
  return {
    key,
    certificate: localBlob(ctx, keyFiles(config.file).certificate),
    signatures: fs.existsSync(path.resolve(projectDir, ctx.config.signatures))
      ? localTree(ctx, ctx.config.signatures)
      : undefined,
    signer: hasSecret(config, projectDir) ? () => loadSigner(config, projectDir) : undefined,
  };
}
