/** A policy from its file, or from what a project's own machines would trust. */
import { createPublicKey, type KeyObject } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { BootwrightError, ioError, messageOf } from "../base/errors.ts";
import { mistakesError } from "../config/mistakes.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { parseYaml } from "../config/yaml.ts";
import { issuesFromZod } from "../config/zod-issues.ts";
import { type MinisignKey, parseMinisignKey } from "../formats/minisign.ts";
import { keyFiles, loadCertificate } from "../sign/key-files.ts";
import type { ProvenancePolicy } from "../verify/artifact-policy.ts";
import type { EnvironmentPolicy, NamedCertificate, Policy } from "../verify/policy.ts";
import { policySchema } from "../verify/policy-schema.ts";
import { secureBootKeys } from "./secure-boot.ts";

/** A policy is written by a person. Bytes. */
const MAX_POLICY = 1024 * 1024;
const DIGEST = /^[0-9a-f]{64}$/;

export interface Policies {
  /** For what firmware starts. */
  readonly medium: Policy | undefined;
  /** For any artifact. */
  readonly provenance: ProvenancePolicy | undefined;
  /** For what runs in an environment. */
  readonly environment: EnvironmentPolicy | undefined;
}

/** YAML, or JSON, which is YAML. Throws CONFIG_INVALID with the place of each mistake, PATH_MISSING, FORMAT_INVALID. */
export async function loadPolicy(file: string, cwd: string): Promise<Policies> {
  const source = readPolicy(path.resolve(cwd, file), file);
  const { value, locator } = parseYaml(source, file);
  const parsed = policySchema.safeParse(value ?? {});
  if (!parsed.success)
    throw await mistakesError(
      { file, source, locator: async () => locator },
      issuesFromZod(policySchema, parsed.error.issues, value ?? {}),
    );
  const { trust, signers, revoke, minimum, require, provenance, environment } = parsed.data;
  const dir = path.dirname(path.resolve(cwd, file));
  const named = (name: string): NamedCertificate => ({ name, certificate: loadCertificate(name, dir) });
  return {
    medium: trust && {
      trust: trust.map(named),
      signers: signers.map(named),
      revokedDigests: revoke.filter((one) => DIGEST.test(one)),
      revoked: revoke.filter((one) => !DIGEST.test(one)).map(named),
      minimum,
      require,
    },
    provenance: provenance && {
      keys: provenance.keys.map((name) => ({ name, publicKey: loadTrustedKey(name, dir) })),
      builders: provenance.builder,
      sources: provenance.sources,
      config: provenance.config,
      require: { statement: provenance.statement, signature: provenance.signature },
    },
    environment: environment && {
      ...environment,
      keys: environment.keys.map(({ file, until }) => ({ key: minisignKey(file, dir), until })),
      approvers: Object.fromEntries(
        Object.entries(environment.approvers).map(([who, name]) => [who, minisignKey(name, dir)]),
      ),
    },
  };
}

/** Throws PATH_MISSING, FORMAT_INVALID. */
const minisignKey = (name: string, dir: string): MinisignKey =>
  parseMinisignKey(readPolicy(path.resolve(dir, name), name), name);

/** A public key in PEM, or the one of a certificate. Throws PATH_MISSING, FORMAT_INVALID. */
function loadTrustedKey(name: string, dir: string): KeyObject {
  const text = readPolicy(path.resolve(dir, name), name);
  if (!text.includes("-----BEGIN PUBLIC KEY-----")) return loadCertificate(name, dir).publicKey;
  try {
    return createPublicKey(text);
  } catch (error) {
    throw new BootwrightError("FORMAT_INVALID", `${name} is no public key in PEM: ${messageOf(error)}`);
  }
}

/** db and `secureBoot.trust`, without `secureBoot.revoke`. Throws CONFIG_INVALID when the project has no such keys. */
export function projectPolicy(config: ResolvedConfig): Policy {
  const { trust = [], revoke = [] } = config.secureBoot ?? {};
  const file = (name: string): NamedCertificate => ({ name, certificate: loadCertificate(name, config.dir) });
  const key = (name: string): NamedCertificate => ({
    name: `key ${name}`,
    certificate: loadCertificate(keyFiles(config.keys[name]!.file).certificate, config.dir),
  });
  return {
    trust: [...secureBootKeys(config).db.map(key), ...trust.map(file)],
    signers: [],
    revokedDigests: revoke.filter((one) => DIGEST.test(one)),
    revoked: revoke.filter((one) => !DIGEST.test(one)).map(file),
    minimum: {},
    require: { signatures: true, partitionTable: true, verity: "demanded", onlySigned: false },
  };
}

function readPolicy(at: string, file: string): string {
  try {
    if (fs.statSync(at).size > MAX_POLICY)
      throw new BootwrightError("LIMIT_EXCEEDED", `${file} is larger than ${MAX_POLICY} bytes`);
    return fs.readFileSync(at, "utf8");
  } catch (error) {
    throw ioError("read", file, error);
  }
}
