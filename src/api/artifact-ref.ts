/**
 * What a person may call an artifact: an image of the project ("hello"), a stage's output ("initramfs:default", or by name "kernel:default#config"), a digest
 * ("sha256:9f2c…", a unique beginning is enough) or a file ("./old.efi"). One grammar for `inspect` and `diff`.
 */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { didYouMean } from "../base/suggest.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { isExtents } from "../formats/extents.ts";
import type { FileTree } from "../formats/filetree.ts";
import { loadDecisions } from "../stage/decision.ts";
import type { Artifact } from "../store/artifact.ts";
import { openBlobSource, openFileSource } from "../store/blob-source.ts";
import { openExtentSource } from "../store/extent-bytes.ts";
import type { Store } from "../store/store.ts";

export type OpenArtifact =
  | { readonly kind: "tree"; readonly label: string; readonly hash: string; readonly tree: FileTree }
  | {
      readonly kind: "file";
      readonly label: string;
      readonly hash: string | undefined;
      readonly source: ByteSource & Disposable;
    };

export interface RefContext {
  readonly store: Store;
  readonly cwd: string;
  /** Absent outside of a project: then digests and files only. */
  readonly project: string | undefined;
}

/** Throws NAME_UNKNOWN or PATH_MISSING. */
export function openArtifact(ref: string, context: RefContext): OpenArtifact {
  const file = path.resolve(context.cwd, ref);
  const looksLikePath = ref.includes("/") || ref.startsWith(".");
  const artifact = ref.startsWith("sha256:")
    ? byDigest(ref.slice("sha256:".length), context.store)
    : looksLikePath
      ? undefined
      : byName(ref, context);
  if (artifact !== undefined) return openStored(artifact, { label: ref, store: context.store });
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile()) return { kind: "file", label: ref, hash: undefined, source: openFileSource(file) };
  if (looksLikePath)
    throw new BootwrightError("PATH_MISSING", stat === undefined ? `${ref} does not exist` : `${ref} is a directory`, {
      hint: "name a file, an image of the project, or a digest",
    });
  const names =
    context.project === undefined
      ? []
      : [...imageNames(context), ...loadDecisions(context.store, context.project).keys()];
  throw new BootwrightError("NAME_UNKNOWN", `nothing that was built here is called "${ref}"${didYouMean(ref, names)}`, {
    hint: names.length === 0 ? "bootwright build" : `there are: ${names.sort().join(", ")}`,
  });
}

export function openStored(artifact: Artifact, { label, store }: { label: string; store: Store }): OpenArtifact {
  if (artifact.kind === "tree") return { kind: "tree", label, hash: artifact.hash, tree: store.getTree(artifact) };
  // The digest of such a file is that of its bytes, which takes reading them.
  if (artifact.kind === "extents")
    return { kind: "file", label, hash: undefined, source: openExtentSource(store.blobs, store.getExtents(artifact)) };
  return { kind: "file", label, hash: artifact.hash, source: openBlobSource(store.blobs, artifact) };
}

const imageNames = ({ store, project }: RefContext): string[] =>
  store.db.all<{ name: string }>("SELECT name FROM refs WHERE project = ?", project ?? "").map((row) => row.name);

function byName(ref: string, { store, project }: RefContext): Artifact | undefined {
  if (project === undefined) return undefined;
  const row = store.db.get<Artifact>("SELECT kind, hash, size FROM refs WHERE project = ? AND name = ?", project, ref);
  if (row !== undefined) return row;
  const [stage = "", output] = ref.split("#");
  const decision = loadDecisions(store, project).get(stage);
  const outputs = decision === undefined ? undefined : store.lookup(decision.last.key)?.outputs;
  if (outputs === undefined) return undefined;
  // A stage's first output is what it is for.
  if (output === undefined) return Object.values(outputs)[0];
  if (outputs[output] !== undefined) return outputs[output];
  throw new BootwrightError(
    "NAME_UNKNOWN",
    `${stage} has no output "${output}"${didYouMean(output, Object.keys(outputs))}`,
    { hint: `it has ${Object.keys(outputs).join(", ")}` },
  );
}

function byDigest(prefix: string, store: Store): Artifact {
  if (!/^[0-9a-f]{6,64}$/.test(prefix))
    throw new BootwrightError("USAGE", `sha256:${prefix} is no digest`, { hint: "at least six of its 64 hex digits" });
  const names = fs.existsSync(path.join(store.blobs.root, prefix.slice(0, 2)))
    ? fs.readdirSync(path.join(store.blobs.root, prefix.slice(0, 2))).filter((name) => name.startsWith(prefix))
    : [];
  const [hash, ...more] = names;
  if (hash === undefined)
    throw new BootwrightError("NAME_UNKNOWN", `the store has no blob sha256:${prefix}`, {
      hint: "bootwright store ls",
    });
  if (more.length > 0)
    throw new BootwrightError(
      "NAME_UNKNOWN",
      `sha256:${prefix} is the beginning of ${names.length} digests; give more of it`,
    );
  const { size } = fs.statSync(store.blobs.path(hash));
  const start = size >= 8 ? [...store.blobs.read({ hash, size }, { length: 8 })][0] : undefined;
  if (start !== undefined && isExtents(start))
    return { kind: "extents", hash, size, length: store.getExtents({ hash, size }).size };
  return { kind: start?.toString("latin1") === "bwtree\0\x01" ? "tree" : "blob", hash, size };
}
