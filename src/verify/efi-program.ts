/** One EFI program against a policy: who has signed it, what it is, and what it demands. */
import { BootwrightError } from "../base/errors.ts";
import { authenticodeDigest, verifyAuthenticode } from "../formats/authenticode.ts";
import { type ByteSource, sliceSource } from "../formats/byte-source.ts";
import { compareDebianVersions } from "../formats/debian-version.ts";
import type { Pcr11 } from "../formats/pcr11.ts";
import { findPeSection, type PeFile, peContentSize, readPe, readPeText } from "../formats/pe.ts";
import { readSystemdMark } from "../formats/systemd-mark.ts";
import type { NamedCertificate, Policy, Rule, Violation } from "./policy.ts";
import { verifyTpmPolicies } from "./tpm-policies.ts";
import { parseVerityCmdline, parseVerityTable, readInitramfsTable, type VerityDemand } from "./verity-demand.ts";

export interface ProgramReport {
  readonly where: string;
  /** "addon": what systemd's stub adds to a UKI; it starts nothing itself. */
  readonly kind: "uki" | "addon" | "efi";
  /** Authenticode, hex. */
  readonly digest: string;
  /** Names of the policy's certificates that have signed it. */
  readonly signedBy: readonly string[];
  readonly sections: readonly string[];
  readonly cmdline: string | undefined;
  /** VERSION_ID of its os-release. */
  readonly version: string | undefined;
  /** The kernel's release. */
  readonly kernel: string | undefined;
  readonly demands: readonly VerityDemand[];
  /** What it makes of PCR 11, where that is known. */
  readonly pcr11: readonly Pcr11[] | undefined;
}

/** Text sections beyond it are no text. Bytes. */
const MAX_TEXT = 64 * 1024;

export async function verifyProgram(
  source: ByteSource,
  { where, policy }: { readonly where: string; readonly policy: Policy },
): Promise<{ readonly report: ProgramReport | undefined; readonly violations: readonly Violation[] }> {
  const violations: Violation[] = [];
  const violate = (rule: Rule, message: string, expected: string) =>
    violations.push({ rule, where, message, expected });
  try {
    const digest = authenticodeDigest(source, where);
    const signedBy = verifySignatures(source, { where, policy, digest, violate });
    const pe = readPe(source, where);
    const text = (name: string) => sectionText(source, { pe, name, where });
    const isUki = findPeSection(pe, ".linux") !== undefined;
    const version = osReleaseValue(text(".osrel"), "VERSION_ID");
    const kernel = text(".uname")?.trim();
    if (isUki) {
      checkMinimum("version", { found: version, minimum: policy.minimum.version, violate });
      checkMinimum("kernel", { found: kernel, minimum: policy.minimum.kernel, violate });
    }
    const cmdline = text(".cmdline");
    const demands = policy.require.verity === "none" ? [] : await demandsOf(source, { pe, cmdline, where });
    if (isUki && policy.require.verity === "always" && demands.length === 0)
      violate("verity", "it opens no root by a root hash", "dm-mod.create= or a verity table in its initramfs");
    const tpm = isUki
      ? verifyTpmPolicies(source, { where, signatures: text(".pcrsig"), key: text(".pcrpkey") })
      : { states: undefined, problems: [] };
    for (const problem of tpm.problems)
      violate("tpm-policy", problem, "policies of this image, signed by the key in it");
    const sections = pe.sections.map(({ name }) => name);
    const report = { where, kind: kindOf({ source, isUki }), digest, signedBy, sections };
    return { report: { ...report, cmdline, version, kernel, demands, pcr11: tpm.states }, violations };
  } catch (error) {
    if (!(error instanceof BootwrightError)) throw error;
    violate("format", `${error.code}: ${error.message}`, "an EFI program that can be read whole");
    return { report: undefined, violations };
  }
}

const kindOf = ({ source, isUki }: { source: ByteSource; isUki: boolean }): ProgramReport["kind"] =>
  isUki ? "uki" : readSystemdMark(source, "addon") !== undefined ? "addon" : "efi";

type Violate = (rule: Rule, message: string, expected: string) => void;

function verifySignatures(
  source: ByteSource,
  input: { where: string; policy: Policy; digest: string; violate: Violate },
): readonly string[] {
  const { where, policy, digest, violate } = input;
  const refusal = (certificates: readonly NamedCertificate[]): string | undefined => {
    try {
      verifyAuthenticode(source, { trusted: certificates.map(({ certificate }) => certificate), name: where });
      return undefined;
    } catch (error) {
      if (!(error instanceof BootwrightError) || error.code !== "SIGNATURE_INVALID") throw error;
      return error.message;
    }
  };
  const names = (list: readonly NamedCertificate[]) => list.map(({ name }) => name).join(", ");
  const why = refusal(policy.trust);
  if (policy.require.signatures && why !== undefined)
    violate("signature", why, `a signature by ${policy.trust.length > 1 ? "one of " : ""}${names(policy.trust)}`);
  for (const signer of policy.signers) {
    const missing = refusal([signer]);
    if (missing !== undefined) violate("signer", missing, `a signature by ${signer.name}`);
  }
  if (policy.revokedDigests.includes(digest)) violate("revoked", `its digest ${digest} is revoked`, "another program");
  for (const one of policy.revoked)
    if (refusal([one]) === undefined)
      violate("revoked", `it is signed by ${one.name}, which is revoked`, "another key");
  const known = [...policy.trust, ...policy.signers];
  const seen = known.filter((one, i) => known.findIndex((other) => same(one, other)) === i);
  return seen.filter((one) => refusal([one]) === undefined).map(({ name }) => name);
}

const same = (a: NamedCertificate, b: NamedCertificate): boolean =>
  a.certificate.fingerprint === b.certificate.fingerprint;

function checkMinimum(
  rule: "version" | "kernel",
  { found, minimum, violate }: { found: string | undefined; minimum: string | undefined; violate: Violate },
): void {
  if (minimum === undefined) return;
  const expected = `${minimum} or newer`;
  const what = rule === "version" ? "its version (VERSION_ID of os-release)" : "its kernel's release";
  if (found === undefined || found === "") violate(rule, `${what} is not told`, expected);
  else if (compareDebianVersions(found, minimum) < 0) violate(rule, `${what} is ${found}`, expected);
}

async function demandsOf(
  source: ByteSource,
  { pe, cmdline, where }: { pe: PeFile; cmdline: string | undefined; where: string },
): Promise<readonly VerityDemand[]> {
  const direct = cmdline === undefined ? [] : parseVerityCmdline(cmdline, where);
  const initrd = findPeSection(pe, ".initrd");
  if (initrd === undefined) return direct;
  const range = { offset: initrd.rawOffset, size: peContentSize(initrd), format: where };
  const table = await readInitramfsTable(sliceSource(source, range), `${where}: .initrd`);
  return table === undefined ? direct : [...direct, ...parseVerityTable(table, where)];
}

function sectionText(
  source: ByteSource,
  { pe, name, where }: { pe: PeFile; name: string; where: string },
): string | undefined {
  const found = pe.sections.filter((section) => section.name === name);
  const [section] = found;
  if (section === undefined) return undefined;
  // Which of two the stub would take depends on its version: what is read here may not be what starts.
  if (found.length > 1) throw new BootwrightError("UNSUPPORTED", `${where}: ${found.length} sections ${name}`);
  if (peContentSize(section) > MAX_TEXT) throw new BootwrightError("LIMIT_EXCEEDED", `${where}: a long ${name}`);
  return readPeText(source, section).replace(/\0+$/, "");
}

function osReleaseValue(text: string | undefined, name: string): string | undefined {
  const value = new RegExp(`^${name}=(.*)$`, "m").exec(text ?? "")?.[1];
  return value?.replace(/^(["'])(.*)\1$/, "$2");
}
