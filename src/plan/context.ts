/** What planning knows and gathers while it walks the config. */
import path from "node:path";
import type { Digest } from "../base/digest.ts";
import type { Emit } from "../base/events.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import type { AptSource } from "../source/apt-config.ts";
import type { FetchContext, RemoteBytes } from "../source/fetch.ts";
import { type LocalSource, localSource } from "../source/local.ts";
import { describePin, type Lock, type LockEntry } from "../source/lock.ts";
import { requestName, type SourceRequest } from "../source/request.ts";
import type { Store } from "../store/store.ts";

export interface PlanOptions {
  readonly config: ResolvedConfig;
  readonly lock: Lock;
  /** For the memory of local files; planning itself writes nothing else. */
  readonly store: Store | undefined;
  readonly offline: boolean;
  /** The text of guest/agent.sh. */
  readonly agentScript: string;
  /** The text of a kernel config fragment that Bootwright brings; undefined when there is none of that name. */
  readonly readFragment: (name: string) => string | undefined;
  /** The text of guest/update.sh. */
  readonly updateScript: string;
  /** The text of guest/partuuid.sh. */
  readonly partuuidScript: string;
  /** Which archives serve packages; asked only when one is fetched. */
  readonly aptSources: () => readonly AptSource[];
  /** Bytes out of object stores and registries; asked only when some are fetched. */
  readonly remoteBytes: RemoteBytes;
  /** This user's own copy of a bundle, by its SHA-256. */
  readonly ownBundle: (sha256: string) => string | undefined;
  readonly layerBytes: LayerBytes;
}

/** The bytes of a layer of an image in a registry; asked only when one is fetched. */
export type LayerBytes = (
  image: string,
  layer: Digest,
  options: { readonly emit: Emit; readonly signal: AbortSignal },
) => AsyncIterable<Uint8Array>;

export class PlanContext {
  readonly config: ResolvedConfig;
  readonly agentScript: string;
  readonly updateScript: string;
  readonly partuuidScript: string;
  readonly readFragment: (name: string) => string | undefined;
  readonly fetch: FetchContext;
  readonly ownBundle: PlanOptions["ownBundle"];
  readonly layerBytes: LayerBytes;
  readonly remoteBytes: RemoteBytes;
  /** Requests that the lock does not answer, by name. */
  readonly missing: Map<string, SourceRequest>;
  /** Every request of the planned images, by name. */
  readonly requests: Map<string, SourceRequest>;
  /** Local files and directories that the plan depends on, by their path in the config. */
  readonly locals: Map<string, LocalSource>;
  readonly #options: PlanOptions;
  readonly #memo: Map<string, unknown>;
  /** What is planned here is for: the project's, or that of one of an image's trees. */
  readonly arch: "x86_64" | "aarch64";

  /** `shared`: of the same plan, for another architecture. */
  constructor(options: PlanOptions, shared?: { readonly context: PlanContext; readonly arch: PlanContext["arch"] }) {
    this.#options = options;
    this.arch = shared?.arch ?? options.config.arch;
    const { missing, requests, locals } = shared?.context ?? {};
    this.missing = missing ?? new Map();
    this.requests = requests ?? new Map();
    this.locals = locals ?? new Map();
    this.#memo = shared === undefined ? new Map() : shared.context.#memo;
    this.config = options.config;
    this.agentScript = options.agentScript;
    this.updateScript = options.updateScript;
    this.partuuidScript = options.partuuidScript;
    this.ownBundle = options.ownBundle;
    this.layerBytes = options.layerBytes;
    this.readFragment = options.readFragment;
    this.remoteBytes = options.remoteBytes;
    this.fetch = { offline: options.offline, aptSources: options.aptSources };
  }

  /** Debian's name of the architecture. */
  get debianArch(): "amd64" | "arm64" {
    return debianArch(this.arch);
  }

  /** The same plan, for another architecture: pins, files and stages that are for none are shared. */
  forArch(arch: PlanContext["arch"]): PlanContext {
    return arch === this.arch ? this : new PlanContext(this.#options, { context: this, arch });
  }

  /** The name of a stage that the architecture changes; as it is for the project's own. */
  archName(name: string): string {
    return this.arch === this.config.arch ? name : `${name}:${this.arch}`;
  }

  /** All that the lock has, of this plan or not. */
  get pins(): Lock {
    return this.#options.lock;
  }

  pin<T extends LockEntry["type"]>(request: SourceRequest, type: T): Extract<LockEntry, { type: T }> | undefined {
    const name = requestName(request);
    this.requests.set(name, request);
    const entry = this.#options.lock[name];
    if (entry?.type === type) return entry as Extract<LockEntry, { type: T }>;
    this.missing.set(name, request);
    return undefined;
  }

  /** What a request was pinned to, in words; "" without a pin. */
  describePin(request: SourceRequest): string {
    const entry = this.#options.lock[requestName(request)];
    return entry === undefined ? "" : describePin(entry);
  }

  local(label: string): LocalSource {
    let source = this.locals.get(label);
    if (source === undefined) {
      const { store, config } = this.#options;
      source = localSource(label, { projectDir: config.dir, store, ignore: ownOutput(config.dir, label) });
      this.locals.set(label, source);
    }
    return source;
  }

  /** Whether `once` has made it. */
  has(name: string): boolean {
    return this.#memo.has(name);
  }

  /** One stage for one thing, however often it is used. */
  once<T>(name: string, make: () => T): T {
    if (!this.#memo.has(name)) this.#memo.set(name, make());
    return this.#memo.get(name) as T;
  }
}

export const debianArch = (arch: "x86_64" | "aarch64"): "amd64" | "arm64" => (arch === "aarch64" ? "arm64" : "amd64");

/** What Bootwright itself writes beside the config is no input, or a project that takes "." would never be up to date. */
function ownOutput(projectDir: string, label: string): (file: string) => boolean {
  const root = path.resolve(projectDir, label);
  const below = path.relative(root, projectDir);
  if (below.startsWith("..")) return () => false;
  const own = new Set(["out", "bootwright.lock", "test-results"].map((name) => path.join(below, name)));
  return (file) => own.has(file);
}
