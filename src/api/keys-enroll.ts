/** Writes what firmware, systemd-boot or a virtual machine enrols, so that it starts only what the project's keys have signed. */
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";
import { addVariables } from "../formats/efi-variable-store.ts";
import { enrolledVariables, enrolmentLists, enrolmentUpdates } from "../sign/enrolment.ts";
import { loadSigner } from "../sign/load-signer.ts";
import { openProject } from "./project.ts";
import { projectEnrolment, secureBootKeys } from "./secure-boot.ts";
import type { Report, Session } from "./session.ts";

export interface EnrollOptions {
  /** Directory to write to; default "enrol" beside the config. */
  readonly to?: string;
  /** A variable store of the firmware to start from; the result is written beside the rest. */
  readonly ovmf?: string;
}

/** Needs the secrets of PK and KEK: they sign the updates. */
export async function keysEnroll(session: Session, { to, ovmf }: EnrollOptions): Promise<Report> {
  await using project = await openProject(session, { readonly: true });
  const { config } = project;
  const names = secureBootKeys(config);
  const enrolment = projectEnrolment(config, systemClock.now());
  const signer = (name: string) => loadSigner(config.keys[name]!, config.dir);
  const updates = await enrolmentUpdates(enrolment, { pk: signer(names.pk), kek: signer(names.kek) });
  const dir = path.resolve(to === undefined ? config.dir : session.cwd, to ?? "enrol");
  const files: Record<string, Uint8Array> = {};
  for (const [name, bytes] of Object.entries(enrolmentLists(enrolment))) files[`${name}.esl`] = bytes;
  for (const [name, bytes] of Object.entries(updates)) {
    files[`${name}.auth`] = bytes;
    // systemd-boot enrols what it finds there (systemd-boot(7), "secure-boot-enroll").
    files[`loader/keys/auto/${name}.auth`] = bytes;
  }
  files["PK.cer"] = enrolment.pk.der;
  files["KEK.cer"] = enrolment.kek.der;
  for (const [i, { der }] of enrolment.db.entries()) files[i === 0 ? "db.cer" : `db-${i}.cer`] = der;
  if (ovmf !== undefined) {
    const template = readIfExists(path.resolve(session.cwd, ovmf));
    if (template === undefined) throw new BootwrightError("PATH_MISSING", `${ovmf} does not exist`);
    files[path.basename(ovmf)] = addVariables(template, enrolledVariables(enrolment));
  }
  for (const [name, bytes] of Object.entries(files)) writeFileAtomic(path.join(dir, name), bytes);
  const shown = path.relative(session.cwd, dir) || ".";
  return {
    data: { dir, files: Object.keys(files).sort() },
    text: Object.keys(files)
      .sort()
      .map((name) => `${shown}/${name}`)
      .join("\n"),
    summary: `firmware menus take the .auth files (or .cer) in the order db, KEK, PK; systemd-boot takes ${shown}/loader from the ESP`,
  };
}
