/** Opens registries for a session: with this user's credentials and certificates. Loaded by commands about registries only. */
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import type { Digest } from "../base/digest.ts";
import { shortDigest } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { closeConnections } from "../base/http.ts";
import { keepYoungSpaceSmall } from "../base/short-lived-memory.ts";
import { formatSize } from "../base/size.ts";
import { TITLE } from "../formats/oci-content.ts";
import { type Credentials, findCredentials } from "../oci/auth-file.ts";
import type { CopyEvent } from "../oci/copy.ts";
import { Registry } from "../oci/registry.ts";
import { trustedCertificates } from "../oci/trust.ts";
import type { Session } from "./session.ts";

export interface RegistryAccess {
  /** Without TLS. */
  readonly plainHttp?: boolean | undefined;
  /** A file with the certificate of the authority that signed the registry's, in PEM. */
  readonly ca?: string | undefined;
}

export interface OpenOptions extends RegistryAccess {
  /** Instead of what the files and helpers know. */
  readonly credentials?: Credentials | undefined;
}

/** Throws OFFLINE, PATH_MISSING. */
export function openRegistry(session: Session, host: string, options: OpenOptions): Registry {
  if (session.offline) throw new BootwrightError("OFFLINE", `${host} would be asked, which --offline forbids`);
  const { env, emit, signal } = session;
  const file = options.ca === undefined ? undefined : path.resolve(session.cwd, options.ca);
  return new Registry(host, {
    credentials: async (repository) =>
      options.credentials ?? (await findCredentials({ host, repository }, { env, signal })),
    plainHttp: options.plainHttp,
    ca: trustedCertificates(host, { file, env }),
    emit,
    signal,
  });
}

/** Opens each registry once, and lets the process end. */
export async function withRegistries<T>(
  session: Session,
  access: RegistryAccess,
  body: (open: (host: string) => Registry) => Promise<T>,
): Promise<T> {
  const opened = new Map<string, Registry>();
  keepYoungSpaceSmall();
  try {
    return await body((host) => {
      const registry = opened.get(host) ?? openRegistry(session, host, access);
      opened.set(host, registry);
      return registry;
    });
  } finally {
    await closeConnections();
  }
}

/** Blobs on their way, as the reporters show stages. */
export function showCopying({ emit }: Session, verb: string): (event: CopyEvent) => void {
  const began = new Map<string, number>();
  return (event) => {
    const { descriptor } = event;
    const stage = `${verb} ${descriptor.annotations.get(TITLE) ?? shortDigest(descriptor.hash)}`;
    const digest: Digest = descriptor;
    if (event.type === "start") {
      began.set(digest.hash, systemClock.elapsed());
      emit({ type: "stage.start", stage, key: digest.hash, reason: formatSize(digest.size) });
    } else if (event.type === "progress")
      emit({ type: "stage.progress", stage, done: event.done, total: digest.size, unit: "bytes", what: `${verb}ing` });
    else if (event.how === "uploaded") {
      const ms = systemClock.elapsed() - (began.get(digest.hash) ?? 0);
      emit({ type: "stage.done", stage, key: digest.hash, ms, bytes: digest.size, digest: digest.hash });
    } else emit({ type: "stage.cached", stage, key: digest.hash, bytes: digest.size, digest: digest.hash });
  };
}
