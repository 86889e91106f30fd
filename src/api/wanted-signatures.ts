/** After a build: which signatures are missing, and the request for them beside the artifacts. */
import fs from "node:fs";
import path from "node:path";
import { removeTree } from "../base/fs.ts";
import { PCR_KIND } from "../sign/pcr-stage.ts";
import { SIGN_ROOT_HASH_KIND } from "../sign/sign-root-hash.ts";
import { SIGN_KIND } from "../sign/sign-stage.ts";
import { writeRequest } from "../sign/signing-request.ts";
import { parseWantedText, signatureName, type WantedSignature } from "../sign/wanted-signature.ts";
import { orderStages } from "../stage/graph.ts";
import type { RunReport } from "../stage/scheduler.ts";
import type { AnyStage } from "../stage/stage.ts";
import type { Project } from "./project.ts";

export interface SignatureRequest {
  readonly wanted: readonly WantedSignature[];
  /** Where the request lies, when something is wanted. */
  readonly dir: string;
}

/** `out/signing-request` says what this build lacks; a build of all images that lacks nothing takes it away. */
export function requestSignatures(
  { config, store, outDir }: Project,
  { targets, run, all }: { targets: readonly AnyStage[]; run: RunReport; all: boolean },
): SignatureRequest {
  const dir = path.join(outDir, "signing-request");
  const kinds = [SIGN_KIND, PCR_KIND, SIGN_ROOT_HASH_KIND];
  const asked = orderStages(targets)
    .filter(({ kind }) => kinds.includes(kind))
    .flatMap((stage) => {
      const text = store.blobs.readAll(run.output(stage, "wanted")).toString("utf8");
      return text === "" ? [] : parseWantedText(text, stage.name);
    });
  // Two forms of one signature want it once.
  const wanted = [...new Map(asked.map((one) => [signatureName(one), one])).values()];
  if (wanted.length > 0) writeRequest(dir, { project: config.name, version: config.version ?? "", wanted });
  else if (all && fs.existsSync(dir)) removeTree(dir);
  return { wanted, dir };
}
