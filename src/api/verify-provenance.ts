/** Who made an artifact, from what: the evidence beside it is found and held against a policy. Layouts and files need no network. */
import fs from "node:fs";
import path from "node:path";
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError, isBootwrightError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { loadConfig } from "../config/load.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { MAX_ENVELOPE } from "../formats/dsse.ts";
import { type Location, parseLocation } from "../oci/reference.ts";
import {
  type ArtifactReport,
  type FoundEvidence,
  type ProvenancePolicy,
  verifyArtifact,
} from "../verify/artifact-policy.ts";
import { attachedEvidence, besideEvidence, type Damaged } from "./evidence.ts";
import { projectHere } from "./refs.ts";
import { type RegistryAccess, withRegistries } from "./registries.ts";
import type { Report, Session } from "./session.ts";

interface Asked {
  readonly ref: string;
  readonly policy: ProvenancePolicy;
  readonly access: RegistryAccess;
}

/** Throws what reading the artifact throws; what is wrong with the evidence is in the report. */
export async function verifyProvenance(session: Session, asked: Asked): Promise<Report> {
  const unread: { where: string; code: string; message: string }[] = [];
  const damaged = (where: string) => (error: unknown) => {
    if (!isBootwrightError(error)) throw error;
    unread.push({ where, code: error.code, message: error.message });
  };
  const found = await findEvidence(session, asked, damaged);
  const checked = verifyArtifact(found, asked.policy);
  const report = { ...checked, passedOver: [...unread, ...checked.passedOver] };
  const { ref } = asked;
  const failed = report.violations.length;
  return {
    data: { ref, ...(report as unknown as Record<string, Json>) },
    text: reportText(ref, report),
    summary: failed > 0 ? `${ref} does not hold: ${failed} violation${failed === 1 ? "" : "s"}` : `${ref} holds`,
    exit: failed > 0 ? EXIT.verification : EXIT.ok,
  };
}

function findEvidence(session: Session, asked: Asked, damaged: Damaged): Promise<FoundEvidence> {
  const { ref } = asked;
  if (ref.startsWith("s3://")) return inBucket(session, asked);
  if (ref.startsWith("github:")) return inRelease(session, asked);
  if (/^(oci|oci-archive|docker):/.test(ref))
    return attached(session, asked, { location: parseLocation(ref), damaged });
  const file = path.resolve(session.cwd, ref);
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile()) return besideFile(file, asked);
  if (stat?.isDirectory() && fs.existsSync(path.join(file, "oci-layout")))
    return attached(session, asked, { location: { type: "layout", path: ref }, damaged });
  throw new BootwrightError(
    stat === undefined ? "PATH_MISSING" : "UNSUPPORTED",
    `${ref} is no file and no container image`,
    {
      hint: "name a file such as ./out/hello.efi, an OCI layout, oci://HOST/NAME, s3://BUCKET/KEY or github:OWNER/REPOSITORY@TAG/NAME",
    },
  );
}

const attached = (
  session: Session,
  { access }: Asked,
  asked: { location: Location; damaged: Damaged },
): Promise<FoundEvidence> =>
  withRegistries(session, access, async (open) => (await attachedEvidence(session, { ...asked, open })).found);

async function besideFile(file: string, { policy }: Asked): Promise<FoundEvidence> {
  const name = path.basename(file);
  const read = async (beside: string) => {
    const stat = fs.statSync(beside, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.size > MAX_ENVELOPE)
      throw new BootwrightError("LIMIT_EXCEEDED", `${beside} is larger than ${MAX_ENVELOPE} bytes`);
    return fs.readFileSync(beside);
  };
  return besideEvidence(name, {
    policy,
    read: (ending) => read(`${file}${ending}`),
    chunks: () => fs.createReadStream(file),
  });
}

async function inRelease(session: Session, { ref, policy }: Asked): Promise<FoundEvidence> {
  const file = await (await import("./github-place.ts")).openReleaseFile(session, ref);
  return besideEvidence(file.name, {
    policy,
    read: (ending) => file.read(`${file.name}${ending}`, MAX_ENVELOPE),
    statements: () => file.statements(MAX_ENVELOPE),
    chunks: file.bytes,
  });
}

async function inBucket(session: Session, { ref, policy }: Asked): Promise<FoundEvidence> {
  const slash = ref.lastIndexOf("/");
  const name = ref.slice(slash + 1);
  const config = await bucketConfig(session);
  const { objectBytes, projectBucketPlace } = await import("./buckets.ts");
  const place = projectBucketPlace({ config, session }, ref.slice(0, slash));
  const { emit, signal } = session;
  return besideEvidence(name, {
    policy,
    read: (ending) => place.read(`${name}${ending}`, { maxSize: MAX_ENVELOPE, signal }),
    chunks: () => objectBytes({ config, session }, { url: ref, emit, signal }),
  });
}

/** Who only verifies need not have a project. */
async function bucketConfig(session: Session): Promise<Pick<ResolvedConfig, "buckets" | "dir">> {
  const { cwd, configFile, profiles, env } = session;
  if (projectHere(session) === undefined) return { buckets: {}, dir: cwd };
  return (await loadConfig({ cwd, config: configFile, profiles, env })).config;
}

function reportText(
  ref: string,
  { digest, statements, signedBy, bills, passedOver, violations }: ArtifactReport,
): string {
  return [
    `${ref}  ${digest}`,
    ...(signedBy.length > 0 ? [`  signed by ${signedBy.join(", ")}`] : []),
    ...statements.flatMap((one) => [
      `  ${one.where}  signed by ${one.signedBy.join(", ")}`,
      `    built by ${one.builder}, from ${one.sources} sources`,
    ]),
    ...bills.map((one) => `  ${one.where}  signed by ${one.signedBy.join(", ")}`),
    ...passedOver.map(({ where, code, message }) => `  ${where} does not count: ${message} (${code})`),
    ...violations.flatMap(({ rule, where, message, expected }) => [
      `✗ ${rule}  ${where}: ${message}`,
      `    expected ${expected}`,
    ]),
  ].join("\n");
}
