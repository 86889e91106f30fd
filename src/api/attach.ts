/** Takes the answers to a signing request into the project, each checked, and builds with them. */
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";
import { keyFiles, loadCertificate } from "../sign/key-files.ts";
import { checkSignature } from "../sign/make-signature.ts";
import { answersDir, readRequest, withContent } from "../sign/signing-request.ts";
import { signatureName } from "../sign/wanted-signature.ts";
import { build } from "./build.ts";
import { openProject } from "./project.ts";
import type { Report, Session } from "./session.ts";

/** `request`: its directory. All answers are checked before the first is taken. */
export async function attach(session: Session, request: string): Promise<Report> {
  const dir = path.resolve(session.cwd, request);
  const taken = await takeAnswers(session, dir);
  const report = await build(session, { images: [] });
  return { ...report, data: { ...report.data, attached: taken } };
}

async function takeAnswers(session: Session, dir: string): Promise<readonly string[]> {
  await using project = await openProject(session, { readonly: true });
  const { config } = project;
  const { project: of, wanted: all } = readRequest(dir);
  if (of !== config.name)
    throw new BootwrightError("CONFIG_INVALID", `${dir} is a request of project ${of}, not of ${config.name}`);
  const answers = all.flatMap((wanted) => {
    const signature = readIfExists(path.join(answersDir(dir), signatureName(wanted)));
    return signature === undefined ? [] : [{ wanted, signature }];
  });
  if (answers.length === 0)
    throw new BootwrightError("PATH_MISSING", `${dir} holds no signatures yet`, {
      hint: `where the keys are: bootwright sign ${path.basename(dir)} --keys DIR`,
    });
  for (const { wanted, signature } of answers) {
    const key = config.keys[wanted.key];
    if (key === undefined) throw new BootwrightError("NAME_UNKNOWN", `the config has no key "${wanted.key}"`);
    const certificate = loadCertificate(keyFiles(key.file).certificate, config.dir);
    checkSignature(signature, { wanted: withContent(dir, wanted), certificate });
  }
  for (const { wanted, signature } of answers)
    writeFileAtomic(path.resolve(config.dir, config.signatures, signatureName(wanted)), signature, { sync: true });
  return answers.map(({ wanted }) => wanted.what);
}
