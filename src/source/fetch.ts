/** Stages that bring pinned bytes into the store. Their identity is the pinned digest: where the bytes come from is no part of it. */
import { pathToFileURL } from "node:url";
import { download } from "../base/download.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { HttpStatusError } from "../base/http.ts";
import { defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import type { AptSource } from "./apt-config.ts";
import type { LockedPackage } from "./lock.ts";
import type { Resolver } from "./resolver.ts";

export interface FetchContext {
  readonly offline: boolean;
  readonly aptSources: () => readonly AptSource[];
}

/** What is pinned, and lies in an object store (`s3://…`) or a registry (`oci://…`). */
export interface RemotePlace {
  readonly url: string;
  readonly sha256: string;
  readonly size: number;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export type RemoteBytes = (place: RemotePlace) => AsyncIterable<Uint8Array>;

export function fetchPackage(
  pin: LockedPackage,
  context: FetchContext,
): Stage<Record<never, never>, { file: BlobArtifact }> {
  const pinned = { hash: pin.sha256, size: pin.size };
  return fetchStage(`fetch:${pin.name}`, pinned, {
    context,
    what: `${pin.name} ${pin.version}`,
    open: (options) => packageBytes(pin, { ...options, context }),
  });
}

export function fetchFile(
  { url, sha256, size }: { url: string; sha256: string; size: number },
  context: FetchContext,
): Stage<Record<never, never>, { file: BlobArtifact }> {
  const what = url.slice(url.lastIndexOf("/") + 1) || url;
  return fetchStage(
    `fetch:${what}-${sha256.slice(0, 8)}`,
    { hash: sha256, size },
    { context, what: url, open: (options) => download(url, { ...options, maxSize: size }) },
  );
}

/** A bundle of a catalog. `file` is a copy that this user has; it serves offline, too. */
export function fetchBundle(
  { name, sha256, size }: { name: string; sha256: string; size: number },
  from: {
    readonly offline: boolean;
    readonly url: string | undefined;
    readonly file: string | undefined;
    readonly remoteBytes: RemoteBytes;
  },
): Stage<Record<never, never>, { file: BlobArtifact }> {
  const what = `bundle ${name}`;
  const { offline, file, remoteBytes } = from;
  const url = file === undefined ? from.url : pathToFileURL(file).href;
  return fetchStage(
    `fetch:${name}`,
    { hash: sha256, size },
    {
      context: { offline: offline && file === undefined },
      what,
      open: (options) => {
        if (url !== undefined)
          return /^(https?|file):/.test(url)
            ? download(url, { ...options, maxSize: size })
            : remoteBytes({ url, sha256, size, ...options });
        throw new BootwrightError("PATH_MISSING", `${what} is not among this user's own bundles`, {
          hint: `bootwright kernel import ${name} --from DIR`,
        });
      },
    },
  );
}

interface OpenOptions {
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export function fetchStage(
  name: string,
  pinned: { hash: string; size: number },
  {
    context,
    what,
    open,
  }: {
    context: Pick<FetchContext, "offline">;
    what: string;
    open: (options: OpenOptions) => AsyncIterable<Uint8Array>;
  },
): Stage<Record<never, never>, { file: BlobArtifact }> {
  const file = blobArtifact(pinned);
  return defineStage({
    name,
    kind: "fetch",
    version: 1,
    inputs: {},
    params: { sha256: pinned.hash, size: pinned.size },
    outputs: ["file"],
    pinned: { file },
    weight: { cpu: 0, network: 1 },
    run: async ({ store, emit, signal, progress }) => {
      if (context.offline)
        throw new BootwrightError("OFFLINE", `${what} is not in the store`, { hint: "run once without --offline" });
      const chunks = async function* () {
        let done = 0;
        for await (const chunk of open({ emit, signal })) {
          done += chunk.length;
          progress(done, { total: pinned.size, what: "downloading" });
          yield chunk;
        }
      };
      await store.blobs.putStream(chunks(), { expected: pinned, what });
      return { file };
    },
  });
}

/** The first archive that has it serves it; when none has it any more, say what it has instead. */
async function* packageBytes(
  pin: LockedPackage,
  { context, emit, signal }: OpenOptions & { context: FetchContext },
): AsyncGenerator<Uint8Array> {
  const tried = new Set<string>();
  for (const { uri } of context.aptSources()) {
    if (tried.has(uri)) continue;
    tried.add(uri);
    try {
      yield* download(`${uri}/${pin.path}`, { emit, signal, maxSize: pin.size });
      return;
    } catch (error) {
      if (!(error instanceof HttpStatusError && error.status === 404) && !isMissingFile(error)) throw error;
    }
  }
  throw new PackageGone(pin);
}

const isMissingFile = (error: unknown): boolean => error instanceof BootwrightError && error.code === "PATH_MISSING";

/** The mirror no longer has a pinned version; `explainGone` adds what it has. */
export class PackageGone extends BootwrightError {
  readonly pin: LockedPackage;

  constructor(pin: LockedPackage, newer?: string) {
    const has =
      newer === undefined ? "" : newer === "" ? "; the archive has no version of it" : `; the archive now has ${newer}`;
    super("PACKAGE_GONE", `the mirror no longer has ${pin.name} ${pin.version}${has}`, {
      hint: `bootwright update ${pin.name}`,
    });
    this.pin = pin;
  }
}

/** Looks up what the archive has now. */
export async function explainGone(error: PackageGone, resolver: Resolver, arch: string): Promise<PackageGone> {
  const archive = await resolver.archive({
    arch: error.pin.arch === "all" ? arch : error.pin.arch,
    suite: undefined,
  });
  return new PackageGone(error.pin, archive.find(error.pin.name)?.get("version") ?? "");
}
