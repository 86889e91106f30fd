/** The chain of an image, from what firmware starts to the last block of the root, held against a policy. */
import fs from "node:fs";
import path from "node:path";
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { loadConfig } from "../config/load.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { openFileSource } from "../store/blob-source.ts";
import type { Store } from "../store/store.ts";
import type { ProgramReport } from "../verify/efi-program.ts";
import { type BootFile, type Medium, openMedium } from "../verify/medium.ts";
import type { Policy } from "../verify/policy.ts";
import { type MediumReport, verifyMedium } from "../verify/verify-medium.ts";
import { type OpenArtifact, openArtifact } from "./artifact-ref.ts";
import { withRefs } from "./refs.ts";
import type { RegistryAccess } from "./registries.ts";
import type { Report, Session } from "./session.ts";
import { ENVIRONMENT_REF, verifyEnvironment } from "./verify-environment.ts";
import { loadPolicy, projectPolicy } from "./verify-policy.ts";
import { verifyProvenance } from "./verify-provenance.ts";

export interface VerifyOptions extends RegistryAccess {
  /**
   * An image of the project, a digest, a file, a directory in the place of a system partition; `oci://…`, `s3://…`, `github:…` or a
   * layout; "env:NAME", what runs in an environment.
   */
  readonly ref: string;
  /** Default: the keys of the project. */
  readonly policy?: string;
  /** Whose environment: one of `sources.releases`. */
  readonly from?: string;
}

/** Of what firmware starts, and of who made it: one report. */
const bothReports = (first: Report, second: Report): Report => {
  const [a, b] = [first.data as Readonly<Record<string, Json>>, second.data as Readonly<Record<string, Json>>];
  const violations = [...(a.violations as Json[]), ...(b.violations as Json[])];
  return {
    data: { ...b, ...a, violations },
    text: `${first.text}\n${second.text}`,
    summary: [first, second].map(({ summary = "" }) => summary).join("\n"),
    exit: Math.max(first.exit ?? EXIT.ok, second.exit ?? EXIT.ok),
  };
};

export async function verify(session: Session, { ref, policy: file, from, ...access }: VerifyOptions): Promise<Report> {
  if (ENVIRONMENT_REF.test(ref)) return verifyWhatRuns(session, { ref, file, from });
  const { medium, provenance } =
    file === undefined
      ? { medium: await policyHere(session), provenance: undefined }
      : await loadPolicy(file, session.cwd);
  if (medium === undefined) return verifyProvenance(session, { ref, policy: provenance!, access });
  const first = await verifyFirmware(session, { ref, policy: medium });
  if (provenance === undefined) return first;
  const second = await verifyProvenance(session, { ref, policy: provenance, access });
  return bothReports(first, second);
}

async function verifyWhatRuns(
  session: Session,
  { ref, file, from }: { ref: string; file: string | undefined; from: string | undefined },
): Promise<Report> {
  const policies = file === undefined ? undefined : await loadPolicy(file, session.cwd);
  if (policies?.environment === undefined)
    throw new BootwrightError("USAGE", `${ref} is held against a policy with \`environment\``, {
      hint: "environment: { keys: [release.pub] } beside `provenance`; then --policy FILE",
    });
  if (policies.medium !== undefined)
    throw new BootwrightError("USAGE", `${file} has \`trust\`, which is about one image`, {
      hint: "put it into a policy of its own; for an artifact: bootwright pull, then bootwright verify FILE",
    });
  const { environment, provenance } = policies;
  return verifyEnvironment(session, { ref, from, environment, provenance: provenance! });
}

function verifyFirmware(session: Session, { ref, policy }: { ref: string; policy: Policy }): Promise<Report> {
  return withRefs(session, async ({ store, cwd, project }) => {
    using opened = openRef(ref, { store, cwd, project });
    const report = await verifyMedium(opened.medium(), policy);
    if (report.format === "data")
      throw new BootwrightError("FORMAT_INVALID", `${ref} is nothing that firmware starts`, {
        hint: "verify takes EFI programs, EFI system partitions (an image or a directory), raw disks and ISO images",
      });
    const { violations } = report;
    const failed = violations.length > 0;
    return {
      data: { ref, ...(report as unknown as Record<string, Json>) },
      text: reportText(ref, report),
      summary: failed
        ? `${ref} does not hold: ${violations.length} violation${violations.length === 1 ? "" : "s"}`
        : `${ref} holds`,
      exit: failed ? EXIT.verification : EXIT.ok,
    };
  });
}

async function policyHere(session: Session): Promise<Policy> {
  const { cwd, configFile, profiles, env } = session;
  try {
    const { config } = await loadConfig({ cwd, config: configFile, profiles, env });
    return projectPolicy(config);
  } catch (error) {
    if (!hasCode(error, "CONFIG_NOT_FOUND")) throw error;
    throw new BootwrightError("USAGE", "there is nothing to verify against: no project here, and no policy", {
      hint: "bootwright verify IMAGE --policy FILE",
      cause: error,
    });
  }
}

interface OpenRef extends Disposable {
  readonly medium: () => Medium;
}

function openRef(ref: string, context: { store: Store; cwd: string; project: string | undefined }): OpenRef {
  const at = path.resolve(context.cwd, ref);
  const isPath = ref.includes("/") || ref.startsWith(".");
  if (isPath && fs.statSync(at, { throwIfNoEntry: false })?.isDirectory()) return openDirectory(at);
  const artifact = openArtifact(ref, context);
  if (artifact.kind === "tree") return openTree(artifact, context.store);
  return {
    medium: () => openMedium(artifact.source, ref),
    [Symbol.dispose]: () => artifact.source[Symbol.dispose](),
  };
}

const volumeOf = (files: readonly BootFile[]): Medium => ({
  ...{ format: "volume", partitions: [], table: undefined, damaged: [] },
  volumes: [{ name: "", files }],
});

/** Symbolic links are not followed: a FAT file system has none. */
function openDirectory(dir: string): OpenRef {
  const entries = fs.readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const opened: Disposable[] = [];
  const files = entries.map((entry) => {
    const file = path.join(entry.parentPath, entry.name);
    const source = openFileSource(file);
    opened.push(source);
    return { path: path.relative(dir, file).split(path.sep).join("/"), source };
  });
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const closeAll = () => {
    for (const one of opened) one[Symbol.dispose]();
  };
  return { medium: () => volumeOf(files), [Symbol.dispose]: closeAll };
}

function openTree({ tree }: Extract<OpenArtifact, { kind: "tree" }>, store: Store): OpenRef {
  const files = tree.flatMap((entry) =>
    entry.type === "file" ? [{ path: entry.path, source: contentSource(store, entry.content) }] : [],
  );
  return { medium: () => volumeOf(files), [Symbol.dispose]: () => {} };
}

/** Whole in memory once it is asked for: trees that firmware starts from are small. */
function contentSource(store: Store, content: Parameters<Store["readContent"]>[0]): ByteSource {
  let bytes: Buffer | undefined;
  const read = (offset: number, length: number): Uint8Array => {
    bytes ??= store.readContent(content);
    return bytes.subarray(offset, offset + length);
  };
  return { size: content.size, read };
}

function reportText(ref: string, report: MediumReport): string {
  const { format, diskId, programs, verity, uncovered, elsewhere, violations } = report;
  const table = violations.some(({ rule }) => rule === "partition-table") ? [] : ["  both partition tables agree"];
  const lines = [
    `${ref}  ${format}${diskId === undefined ? "" : `  ${diskId}`}`,
    ...(diskId === undefined ? [] : table),
  ];
  for (const program of programs) lines.push(...programLines(program));
  for (const { where, rootHash, demandedBy } of verity)
    lines.push(
      `  ${where}  dm-verity, root hash ${rootHash}`,
      demandedBy.length === 0
        ? "    no signed program demands it"
        : `    whole, as demanded by ${demandedBy.join(", ")}`,
    );
  for (const { name, device, rootHash } of elsewhere)
    lines.push(`  ${name} on ${device} is elsewhere: root hash ${rootHash} was not checked`);
  if (uncovered.length > 0) lines.push(`  covered by no signature: ${uncovered.join(", ")}`);
  for (const { rule, where, message, expected } of violations)
    lines.push(`✗ ${rule}  ${where}: ${message}`, `    expected ${expected}`);
  return lines.join("\n");
}

function programLines({
  where,
  kind,
  digest,
  signedBy,
  version,
  kernel,
  cmdline,
  demands,
  pcr11,
}: ProgramReport): string[] {
  const facts = {
    digest: `sha256:${digest}`,
    "signed by": signedBy.join(", ") || "nobody who is trusted",
    version,
    kernel,
    cmdline,
    "PCR 11": pcr11?.[0]?.value,
    ...Object.fromEntries(demands.map((one) => [`demands ${one.name}`, `${one.device} ${one.rootHash}`])),
  };
  const told = Object.entries(facts).filter(([, value]) => value !== undefined && value !== "");
  return [`  ${where}  ${kind}`, ...told.map(([name, value]) => `    ${name}: ${value}`)];
}
