/** Links of one released artifact: its bytes, who signed them, how they were made, and what they consist of. */
import { EXIT } from "../base/error-codes.ts";
import { type BootwrightError, isBootwrightError } from "../base/errors.ts";
import { HttpStatusError } from "../base/http.ts";
import type { ReleaseArtifact, ReleaseDocument } from "../release/document.ts";
import { type ProvenancePolicy, type StatementReport, verifyArtifact } from "../verify/artifact-policy.ts";
import { broken, holds, type Link } from "../verify/link.ts";
import type { EnvironmentPolicy } from "../verify/policy.ts";
import type { Project } from "./project.ts";
import { releasedEvidence } from "./released-evidence.ts";

export interface ArtifactPolicies {
  readonly environment: EnvironmentPolicy;
  readonly provenance: ProvenancePolicy;
}

/** What was found and does not count. */
export interface PassedOver {
  readonly where: string;
  readonly code: string;
  readonly message: string;
}

/** Throws what reaching its place throws. */
export async function artifactLinks(
  project: Project,
  {
    document,
    artifact,
    environment,
    provenance: policy,
  }: ArtifactPolicies & { document: ReleaseDocument; artifact: ReleaseArtifact },
): Promise<{ readonly links: readonly Link[]; readonly passedOver: readonly PassedOver[] }> {
  const where = `${artifact.repository}/${artifact.file}`;
  const unread: PassedOver[] = [];
  const damaged = (what: string) => (error: unknown) => {
    if (!isBootwrightError(error)) throw error;
    unread.push({ where: `${where}: ${what}`, code: error.code, message: error.message });
  };
  const read = await looked(() => releasedEvidence(project, { artifact, policy, damaged }));
  if ("error" in read)
    return { links: [broken({ link: "bytes", where }, "bytes", read.error.message)], passedOver: unread };
  const { found, sha256 } = read.value;
  const links: Link[] = [
    sha256 === artifact.sha256
      ? holds({ link: "bytes", where }, `sha256:${sha256.slice(0, 12)}, ${artifact.size} bytes`)
      : broken(
          { link: "bytes", where },
          "bytes",
          `sha256:${sha256} lies there; the release has sha256:${artifact.sha256}`,
        ),
  ];
  const commit = environment.commit ? document.repositories[artifact.repository]?.commit : undefined;
  const { statements, signedBy, bills, violations, passedOver } = verifyArtifact(found, {
    ...{ ...policy, pinned: environment.pinned },
    ...(commit !== undefined && { commit }),
  });
  const told = (link: "signature" | "provenance") =>
    violations
      .filter(({ rule }) => (rule === "artifact-signature") === (link === "signature"))
      .map(({ rule, message, expected }) => broken({ link, where }, rule, `${message}; expected ${expected}`));
  const [unsigned, wrong] = [told("signature"), told("provenance")];
  if (unsigned.length > 0) links.push(...unsigned);
  else if (signedBy.length > 0) links.push(holds({ link: "signature", where }, `by ${signedBy.join(", ")}`));
  const [best] = statements;
  if (wrong.length > 0) links.push(...wrong);
  else if (best !== undefined) links.push(holds({ link: "provenance", where }, toldStatement(best)));
  if (environment.bill)
    links.push(
      bills.length > 0
        ? holds({ link: "bill", where }, bills.map((one) => `${one.where} by ${one.signedBy.join(", ")}`).join("; "))
        : broken({ link: "bill", where }, "bill", "no bill of materials of it counts"),
    );
  const others = passedOver
    .filter(({ code }) => code !== "UNSUPPORTED") // Statements of other kinds, such as bills.
    .map((one) => ({ ...one, where: `${where}: ${one.where}` }));
  return { links, passedOver: [...unread, ...others] };
}

const toldStatement = ({ signedBy, builder, commits, sources }: StatementReport) =>
  `by ${signedBy.join(", ")}: built by ${builder}${commits[0] === undefined ? "" : ` from commit ${commits[0].slice(0, 12)}`}, ${sources} sources`;

/** What is wrong with what is there is a broken link; a place that cannot be reached is an error. */
export async function looked<T>(
  body: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly error: BootwrightError }> {
  try {
    return { value: await body() };
  } catch (error) {
    const gone = error instanceof HttpStatusError && (error.status === 404 || error.status === 410);
    if (isBootwrightError(error) && (gone || error.exit === EXIT.verification || BROKEN.includes(error.code)))
      return { error };
    throw error;
  }
}

const BROKEN: readonly BootwrightError["code"][] = [
  "PATH_MISSING",
  "NAME_UNKNOWN",
  "OBJECT_UNKNOWN",
  "REGISTRY_UNKNOWN",
  "FORMAT_INVALID",
  "LIMIT_EXCEEDED",
];
