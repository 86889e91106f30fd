/** What lies at the place of a released artifact: its bytes, and what is said of them. */
import { DigestCounter } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { MAX_ENVELOPE } from "../formats/dsse.ts";
import { parseLocation } from "../oci/reference.ts";
import { contentPath } from "../publish/read.ts";
import type { ReleaseArtifact } from "../release/document.ts";
import type { FoundEvidence, ProvenancePolicy } from "../verify/artifact-policy.ts";
import { attachedEvidence, type Beside, besideEvidence, type Damaged } from "./evidence.ts";
import { openReadable } from "./places.ts";
import type { Project } from "./project.ts";
import { artifactBytes } from "./release-artifacts.ts";

export interface ReleasedEvidence {
  readonly found: FoundEvidence;
  /** SHA-256 of the bytes, hex. */
  readonly sha256: string;
}

interface Asked {
  readonly artifact: ReleaseArtifact;
  readonly policy: ProvenancePolicy;
  readonly damaged: Damaged;
}

/** Throws what reading the bytes throws. */
export const releasedEvidence = (project: Project, asked: Asked): Promise<ReleasedEvidence> =>
  asked.artifact.address.startsWith("oci://") ? inRegistry(project, asked) : inPlace(project, asked);

async function inPlace(project: Project, { artifact, policy }: Asked): Promise<ReleasedEvidence> {
  const { file: name } = artifact;
  const { read, statements } = await openBeside(project, artifact);
  const found = await besideEvidence(name, {
    ...{ policy, statements },
    read: (ending) => read(`${name}${ending}`),
    chunks: () => bytesOf(project, artifact),
  });
  return { found, sha256: found.hash };
}

/** Reads what lies where the artifact has its name. */
async function openBeside(
  project: Project,
  { file: name, sha256, address }: ReleaseArtifact,
): Promise<{ readonly read: (name: string) => Promise<Buffer | undefined> } & Pick<Beside, "statements">> {
  if (address.startsWith("github:")) {
    const file = await (await import("./github-place.ts")).openReleaseFile(project.session, address);
    return { read: (other) => file.read(other, MAX_ENVELOPE), statements: () => file.statements(MAX_ENVELOPE) };
  }
  const inside = `/${contentPath({ name, sha256 })}`;
  if (!address.endsWith(inside))
    throw new BootwrightError("FORMAT_INVALID", `${address} does not end with ${inside}, as what is published does`);
  const place = await openReadable(project, address.slice(0, -inside.length));
  const { signal } = project.session;
  return { read: (other) => place.read(other, { maxSize: MAX_ENVELOPE, signal }) };
}

async function inRegistry(project: Project, { artifact, damaged }: Asked): Promise<ReleasedEvidence> {
  const { projectRegistry } = await import("./registry-images.ts");
  const location = parseLocation(artifact.address);
  const open = (host: string) => projectRegistry(project, { host });
  const { found } = await attachedEvidence(project.session, { location, open, damaged });
  const counter = new DigestCounter();
  for await (const chunk of bytesOf(project, artifact)) counter.update(chunk);
  return { found, sha256: counter.digest().hash };
}

function bytesOf(project: Project, artifact: ReleaseArtifact): AsyncIterable<Uint8Array> {
  const { emit, signal, offline } = project.session;
  if (offline && /^https?:/.test(artifact.address))
    throw new BootwrightError("OFFLINE", `${artifact.address} would be asked, which --offline forbids`);
  return artifactBytes(project, artifact, { emit, signal });
}
