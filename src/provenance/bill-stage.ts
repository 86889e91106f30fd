/** The stage that lists what an artifact consists of, in both forms that the field reads. */
import { createHash } from "node:crypto";
import { comparePaths } from "../base/bytes.ts";
import type { Bill, BillFile, BillKernel, BillPackage } from "../formats/bill.ts";
import { encodeCycloneDx } from "../formats/cyclonedx.ts";
import { installedPackages } from "../formats/installed-packages.ts";
import { encodeSpdx } from "../formats/spdx.ts";
import { distinctFiles } from "../formats/tree-size.ts";
import { type BlobInput, defineStage, type OutputRef, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { packageUrl } from "./material.ts";
import { artifactSubjects } from "./statement-stage.ts";

export interface BillOptions {
  readonly name: string;
  readonly artifact: OutputRef<BlobArtifact | TreeArtifact>;
  readonly fileName: string;
  readonly version: string | undefined;
  readonly toolVersion: string;
  /** Seconds. */
  readonly epoch: number;
  /** Those that the lock knows. */
  readonly packages: readonly BillPackage[];
  /** What files are in it, by a name that tells several trees apart. */
  readonly trees: readonly { readonly name: string; readonly tree: TreeInput }[];
  readonly kernels: readonly { readonly release: BlobInput; readonly config: BlobInput }[];
}

type BillInputs = {
  readonly artifact: OutputRef<BlobArtifact | TreeArtifact>;
  readonly trees: readonly TreeInput[];
  readonly releases: readonly BlobInput[];
  readonly configs: readonly BlobInput[];
};

/** More files make a bill that nothing reads any more; packages say the rest. */
const MAX_FILES = 20_000;
/** What is read for their SHA-1, which SPDX wants. Bytes. */
const MAX_READ = 2 * 1024 ** 3;

export function billStage(options: BillOptions): Stage<BillInputs, { spdx: BlobArtifact; cyclonedx: BlobArtifact }> {
  const { name, artifact, fileName, version, toolVersion, epoch, packages, trees, kernels } = options;
  const names = trees.map((one) => one.name);
  return defineStage<BillInputs, { spdx: BlobArtifact; cyclonedx: BlobArtifact }>({
    name,
    kind: "bill",
    version: 1,
    inputs: {
      artifact,
      trees: trees.map(({ tree }) => tree),
      releases: kernels.map(({ release }) => release),
      configs: kernels.map(({ config }) => config),
    },
    params: {
      fileName,
      version: version ?? null,
      toolVersion,
      epoch,
      names,
      packages: packages.map((one) => ({ ...one })),
    },
    outputs: ["spdx", "cyclonedx"],
    run: async ({ inputs, store, signal }) => {
      const about = inputs.artifact;
      const subjects = artifactSubjects(about, { store, fileName });
      const bill: Bill = {
        ...{ name: fileName, version, seed: about.hash, created: epoch, toolVersion },
        sha256: subjects.length === 1 ? subjects[0]!.sha256 : undefined,
        packages: withInstalled(packages, { trees: inputs.trees, store }),
        kernels: kernelsOf(inputs, store),
        ...filesOf(inputs.trees, { names, store, signal }),
      };
      return {
        spdx: blobArtifact(store.blobs.put(encodeSpdx(bill))),
        cyclonedx: blobArtifact(store.blobs.put(encodeCycloneDx(bill))),
      };
    },
  });
}

/** An image out of a registry brings packages that no lock names. */
function withInstalled(
  known: readonly BillPackage[],
  { trees, store }: { trees: readonly TreeArtifact[]; store: Store },
): readonly BillPackage[] {
  const all = new Map(known.map((one) => [one.url, one]));
  for (const tree of trees)
    for (const one of installedPackages(store.getTree(tree), (entry) => store.readContent(entry.content))) {
      const url = packageUrl(one);
      if (!all.has(url)) all.set(url, { name: one.name, version: one.version, url });
    }
  return [...all.values()].sort((a, b) => comparePaths(a.url, b.url));
}

function kernelsOf(
  { releases, configs }: { releases: readonly BlobArtifact[]; configs: readonly BlobArtifact[] },
  store: Store,
): readonly BillKernel[] {
  const kernels = releases.map((release, i) => ({
    release: store.blobs.readAll(release).toString("utf8").trim(),
    config: configs[i]!.size === 0 ? undefined : configs[i]!.hash,
  }));
  return [...new Map(kernels.map((one) => [JSON.stringify(one), one])).values()];
}

function filesOf(
  trees: readonly TreeArtifact[],
  { names, store, signal }: { names: readonly string[]; store: Store; signal: AbortSignal },
): { readonly files: readonly BillFile[]; readonly leftOut: number } {
  const files: BillFile[] = [];
  const reader = store.reader();
  let [leftOut, read] = [0, 0];
  try {
    for (const [i, tree] of trees.entries())
      for (const { path, content } of distinctFiles(store.getTree(tree))) {
        signal.throwIfAborted();
        read += content.size;
        if (files.length === MAX_FILES || read > MAX_READ) {
          leftOut++;
          continue;
        }
        const sha1 = createHash("sha1");
        for (const chunk of reader.read(content)) sha1.update(chunk);
        const at = trees.length > 1 ? `${names[i]}/${path}` : path;
        files.push({ path: at, sha256: content.hash, sha1: sha1.digest("hex") });
      }
  } finally {
    reader.close();
  }
  return { files: files.sort((a, b) => comparePaths(a.path, b.path)), leftOut };
}
