/** After a build: which signatures are missing, and the request for them beside the artifacts. */
import fs from "node:fs";
import path from "node:path";
import { removeTree } from "../base/fs.ts";
import { SIGN_MODULES_KIND } from "../kernel/sign-modules.ts";
import { PCR_KIND } from "../sign/pcr-stage.ts";
import { SIGN_ROOT_HASH_KIND } from "../sign/sign-root-hash.ts";
import { SIGN_KIND } from "../sign/sign-stage.ts";
import { writeRequest } from "../sign/signing-request.ts";
import { parseWantedText, signatureName, type WantedSignature } from "../sign/wanted-signature.ts";
import { orderStages } from "../stage/graph.ts";
import type { RunReport } from "../stage/scheduler.ts";
import type { AnyStage } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
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
  const kinds = [SIGN_KIND, PCR_KIND, SIGN_ROOT_HASH_KIND, SIGN_MODULES_KIND];
  const stages = orderStages(targets).filter(({ kind }) => kinds.includes(kind));
  const asked = stages.flatMap((stage) => {
    const text = store.blobs.readAll(run.output(stage, "wanted")).toString("utf8");
    return text === "" ? [] : parseWantedText(text, stage.name);
  });
  // Two forms of one signature want it once.
  const wanted = [...new Map(asked.map((one) => [signatureName(one), one])).values()];
  const contents = new Map(
    stages
      .filter(({ kind }) => kind === SIGN_MODULES_KIND)
      .flatMap((stage) => store.getTree(run.output(stage, "contents") as TreeArtifact))
      .flatMap((entry) => (entry.type === "file" ? [[entry.path, () => store.read(entry.content)] as const] : [])),
  );
  if (wanted.length > 0) writeRequest(dir, { project: config.name, version: config.version ?? "", wanted, contents });
  else if (all && fs.existsSync(dir)) removeTree(dir);
  return { wanted, dir };
}

/** For people: modules are many, and counted. */
export function describeWanted(wanted: readonly WantedSignature[]): string {
  const modules = new Map<string, number>();
  for (const { kind, key } of wanted) if (kind === "module") modules.set(key, (modules.get(key) ?? 0) + 1);
  const others = wanted.filter(({ kind }) => kind !== "module").map(({ what, key }) => `${what} (key ${key})`);
  const counted = [...modules].map(([key, count]) => `${count} module${count === 1 ? "" : "s"} (key ${key})`);
  return [...others, ...counted].join(", ");
}
