/** Answers a signing request: on the machine that has the keys, and needs nothing of the project but the request. */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { writeFileAtomic } from "../base/fs.ts";
import { keyFiles, loadCertificate } from "../sign/key-files.ts";
import { loadSigner } from "../sign/load-signer.ts";
import { checkSignature, makeSignature } from "../sign/make-signature.ts";
import type { KeyConfig } from "../sign/schema.ts";
import { answersDir, readRequest, withContent } from "../sign/signing-request.ts";
import { signatureName, type WantedSignature } from "../sign/wanted-signature.ts";
import type { Report, Session } from "./session.ts";
import { alignColumns } from "./text-table.ts";

export interface SignOptions {
  /** Directory of the request. */
  readonly request: string;
  /** Directory with NAME.key and NAME.crt of each key; default "keys" where the command was started. */
  readonly keys?: string;
  readonly passphrase?: string;
  readonly pkcs11?: string;
  readonly dryRun: boolean;
}

/** Signs all that its keys can sign; the rest stays wanted. Throws PATH_MISSING when it can sign nothing. */
export async function sign(session: Session, options: SignOptions): Promise<Report> {
  const dir = path.resolve(session.cwd, options.request);
  const keys = path.resolve(session.cwd, options.keys ?? "keys");
  const request = readRequest(dir);
  const found = request.wanted.map((wanted) => ({ wanted, key: findKey(keys, { wanted, options, cwd: session.cwd }) }));
  const able = found.flatMap(({ wanted, key }) => (key === undefined ? [] : [{ wanted, key }]));
  if (able.length === 0)
    throw new BootwrightError("PATH_MISSING", `${keys} holds none of the keys that are asked for`, {
      detail: alignColumns(request.wanted.map((one) => [one.key, `certificate sha256:${one.certificate}`, one.what])),
      hint: "name the directory of the keys with --keys",
    });
  for (const { wanted, key } of able) {
    if (options.dryRun) continue;
    const signer = loadSigner(key, keys);
    const whole = withContent(dir, wanted);
    const signature = await makeSignature(signer, whole);
    checkSignature(signature, { wanted: whole, certificate: signer.certificate });
    writeFileAtomic(path.join(answersDir(dir), signatureName(wanted)), signature);
  }
  const left = found.length - able.length;
  return {
    data: {
      project: request.project,
      version: request.version,
      signed: able.map(({ wanted }) => describe(wanted)),
      left: found.flatMap(({ wanted, key }) => (key === undefined ? [describe(wanted)] : [])),
      dryRun: options.dryRun,
    },
    text: able
      .map(({ wanted }) => {
        const facts = Object.entries(wanted.facts).map(([name, value]) => `    ${name}: ${value}`);
        const done = options.dryRun ? "would sign" : "signed";
        return [`${done} ${wanted.what} of ${request.project} ${request.version}`.trimEnd()]
          .concat(`    sha256:${wanted.digest} with key ${wanted.key}`, facts)
          .join("\n");
      })
      .join("\n"),
    summary: [
      ...(left > 0 ? [`${left} more signature${left === 1 ? " is" : "s are"} wanted with other keys`] : []),
      ...(options.dryRun ? [] : [`next, in the project: bootwright attach ${options.request}`]),
    ].join("\n"),
    exit: options.dryRun ? 10 : 0,
  };
}

const describe = ({ what, key, digest }: WantedSignature) => ({ what, key, digest });

/** The certificate decides, not the name: a directory may hold the keys of several projects. */
function findKey(
  dir: string,
  { wanted, options, cwd }: { wanted: WantedSignature; options: SignOptions; cwd: string },
): KeyConfig | undefined {
  const names = fs.existsSync(dir) ? fs.readdirSync(dir).filter((name) => name.endsWith(".crt")) : [];
  for (const name of [`${wanted.key}.crt`, ...names]) {
    const file = name.slice(0, -".crt".length);
    if (!fs.existsSync(path.join(dir, name))) continue;
    if (loadCertificate(name, dir).fingerprint !== wanted.certificate) continue;
    const isFile = fs.existsSync(path.join(dir, keyFiles(file).secret));
    if (options.pkcs11 === undefined && !isFile) continue;
    return {
      file,
      days: 1,
      ...(options.passphrase !== undefined && { passphrase: path.resolve(cwd, options.passphrase) }),
      ...(options.pkcs11 !== undefined && !isFile && { pkcs11: options.pkcs11 }),
    } as KeyConfig;
  }
  return undefined;
}
