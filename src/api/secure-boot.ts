/** What a project's Secure Boot trusts, out of its config: for enrolment, for machines, and to verify against. */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError, ioError } from "../base/errors.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { addVariables } from "../formats/efi-variable-store.ts";
import { type Enrolment, enrolledVariables } from "../sign/enrolment.ts";
import { keyFiles, loadCertificate } from "../sign/key-files.ts";
import type { Store } from "../store/store.ts";
import { secureVariableStore } from "../vm/index.ts";

export interface SecureBootKeys {
  readonly pk: string;
  readonly kek: string;
  readonly db: readonly string[];
}

/** Names of keys; the defaults are pk, kek and db. Throws CONFIG_INVALID when one is missing. */
export function secureBootKeys({ keys, secureBoot }: ResolvedConfig): SecureBootKeys {
  const chosen = {
    pk: secureBoot?.pk ?? "pk",
    kek: secureBoot?.kek ?? "kek",
    db: secureBoot?.db ?? ["db"],
  };
  const missing = [chosen.pk, chosen.kek, ...chosen.db].filter((name) => !(name in keys));
  if (missing.length > 0)
    throw new BootwrightError("CONFIG_INVALID", `Secure Boot needs the keys ${missing.join(", ")}`, {
      hint: 'add: keys: { pk: { file: "./keys/pk" }, kek: { file: "./keys/kek" }, db: { file: "./keys/db" } }',
    });
  return chosen;
}

/** `time`: of the enrolment, milliseconds since the epoch. Throws PATH_MISSING for a certificate that is not there. */
export function projectEnrolment(config: ResolvedConfig, time: number): Enrolment {
  const names = secureBootKeys(config);
  const { trust = [], revoke = [] } = config.secureBoot ?? {};
  const certificate = (name: string) => loadCertificate(keyFiles(config.keys[name]!.file).certificate, config.dir);
  return {
    pk: certificate(names.pk),
    kek: certificate(names.kek),
    db: [...names.db.map(certificate), ...trust.map((label) => loadCertificate(label, config.dir))],
    dbx: revoke.map((one) => (/^[0-9a-f]{64}$/.test(one) ? one : loadCertificate(one, config.dir))),
    seed: config.seed,
    time,
  };
}

/** A variable store for this host's firmware with the project's keys enrolled; the same keys give the same file. */
export function secureBootVariables(config: ResolvedConfig, store: Store): string {
  const enrolment = projectEnrolment(config, config.epoch * 1000);
  const template = secureVariableStore(config.arch);
  try {
    const { hash } = store.blobs.put(addVariables(fs.readFileSync(template), enrolledVariables(enrolment)));
    return store.blobs.path(hash);
  } catch (error) {
    throw ioError("read", path.resolve(template), error);
  }
}
