/** A project's platform, opened for one command: its record, who may write to it, and its repositories. */
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists } from "../base/fs.ts";
import { shownUrl } from "../base/http.ts";
import { type MinisignKey, parseMinisignKey } from "../formats/minisign.ts";
import type { RecordTarget } from "../release/change-record.ts";
import { type RecordKeys, WHO } from "../release/entry.ts";
import { type GitCopy, mirrorRecord } from "../release/git-record.ts";
import { GitWorkspace } from "../release/git-workspace.ts";
import { examineRecord, type OpenedRecord, type RecordSource, recordBroken } from "../release/read-record.ts";
import type { PlatformConfig } from "../release/schema.ts";
import { SeenRecord } from "../release/seen-record.ts";
import type { RepositoryPlace } from "../release/trunk.ts";
import { loadCatalogKey, loadPublicKey } from "../sign/key-files.ts";
import { repositoryAddress } from "../source/git.ts";
import { openPlace, openReadable, readOnly } from "./places.ts";
import { openProject, type Project } from "./project.ts";
import { loadRecordKeys } from "./record-keys.ts";
import type { Session } from "./session.ts";

export interface Platform {
  readonly project: Project;
  readonly config: DeepReadonlyPlatform;
  readonly repositories: readonly RepositoryPlace[];
  readonly target: RecordTarget;
  /** Who acts, for the record. */
  readonly who: string;
}

type DeepReadonlyPlatform = NonNullable<Project["config"]["platform"]>;

/** `writes`: the record's key is there to sign with. Throws CONFIG_INVALID when the project has no platform. */
export async function withPlatform<T>(
  session: Session,
  { writes }: { writes: boolean },
  body: (platform: Platform) => Promise<T>,
): Promise<T> {
  await using project = await openProject(session);
  const opened = await openPlatform(project, { writes });
  const copy = gitCopy(opened);
  if (copy === undefined) return await body(opened);
  return await body({ ...opened, target: { ...opened.target, mirror: (record) => mirror(opened, { record, copy }) } });
}

/** Without what keeps git's copy up: for who only looks. */
export async function openPlatform(project: Project, { writes }: { writes: boolean }): Promise<Platform> {
  const platform = needPlatform(project);
  return {
    project,
    config: platform,
    repositories: repositoriesOf(project, platform),
    target: await recordTarget(project, { platform, writes }),
    who: whoActs(project.session),
  };
}

/** Entries that git has and the place lacks were in the place once: it is written first. */
async function mirror(platform: Platform, { record, copy }: { record: OpenedRecord; copy: GitCopy }): Promise<void> {
  const { target } = platform;
  const there = await withGit(platform, (workspace) => mirrorRecord(workspace, record.chain, copy));
  if (there <= record.state.serial) return;
  const { findings } = await examineRecord(target, there);
  if (findings.length > 0) throw recordBroken(findings);
}

/** Undefined when git keeps no copy of the record. */
export function gitCopy({ project, config, target }: Platform): GitCopy | undefined {
  if (config.git === undefined) return undefined;
  const address = repositoryAddress(config.git, project.config.dir);
  return { address, shown: shownUrl(config.git), keys: target.keys, seen: target.seen };
}

function needPlatform({ config }: Project): DeepReadonlyPlatform {
  if (config.platform !== undefined) return config.platform;
  throw new BootwrightError("CONFIG_INVALID", "the config has no platform", {
    hint: 'add: platform: { repositories: { kernel: { git: "…" } }, record: "./record" }',
  });
}

/** The project's own record, to read. */
export const platformRecord = (project: Project): Promise<RecordSource> =>
  recordTarget(project, { platform: needPlatform(project), writes: false });

async function recordTarget(
  project: Project,
  { platform, writes }: { platform: DeepReadonlyPlatform; writes: boolean },
): Promise<RecordTarget> {
  const { config, session } = project;
  const place = (await openPlace(project, platform.record)) ?? readOnly(await openReadable(project, platform.record));
  const key = platform.key === undefined ? undefined : config.keys[platform.key]!;
  return {
    place,
    keys: recordKeys(project, platform),
    seen: new SeenRecord(session.dataDir, place.address),
    signal: session.signal,
    secret: key === undefined || !writes ? undefined : loadCatalogKey(key, config.dir),
  };
}

function recordKeys({ config }: Project, { key, formerKeys, approvers }: DeepReadonlyPlatform): RecordKeys {
  const own =
    key === undefined
      ? []
      : [{ key: parseMinisignKey(loadPublicKey(config.keys[key]!, config.dir), `key ${key}`), until: undefined }];
  return {
    record: [...own, ...loadRecordKeys(formerKeys, { dir: config.dir, whose: "the platform" })],
    approvers: Object.fromEntries(
      Object.entries(approvers).map(([name, label]) => [name, approverKey(label, { name, projectDir: config.dir })]),
    ),
  };
}

function approverKey(label: string, { name, projectDir }: { name: string; projectDir: string }): MinisignKey {
  const bytes = readIfExists(path.resolve(projectDir, label));
  if (bytes !== undefined) return parseMinisignKey(bytes.toString("utf8"), label);
  throw new BootwrightError("PATH_MISSING", `${label}, the public key of approver ${name}, is not there`, {
    hint: `ask ${name} for it; who has no key makes one with \`bootwright keys init\` (type: ed25519)`,
  });
}

const repositoriesOf = (
  { config }: Project,
  { repositories }: Pick<PlatformConfig, "repositories"> | DeepReadonlyPlatform,
): readonly RepositoryPlace[] =>
  Object.entries(repositories).map(([name, { git, trunk }]) => ({
    ...{ name, trunk, shown: shownUrl(git) },
    address: repositoryAddress(git, config.dir),
  }));

/** One line for the record; it proves nothing, signatures do. */
function whoActs({ env }: Session): string {
  const who = env.BOOTWRIGHT_WHO || env.GITHUB_ACTOR || env.USER || env.LOGNAME || "unknown";
  if (WHO.test(who)) return who;
  throw new BootwrightError("USAGE", "who acts is one line of at most 200 characters without < and >", {
    hint: "set BOOTWRIGHT_WHO",
  });
}

/** A repository of our own for as long as `body` runs. */
export async function withGit<T>(
  { project }: Pick<Platform, "project">,
  body: (workspace: GitWorkspace) => Promise<T>,
): Promise<T> {
  const { store, session } = project;
  const { signal, emit } = session;
  using workspace = await GitWorkspace.open(store.blobs.temporary(), { signal, emit });
  return await body(workspace);
}

/** Throws OFFLINE where somebody would be asked. */
export function needNetwork({ offline }: Session, repositories: readonly RepositoryPlace[]): void {
  const remote = repositories.find(({ address }) => /^[a-z][a-z0-9+.-]*:\/\/|^[^/]+@[^/]+:/.test(address));
  if (offline && remote !== undefined && !remote.address.startsWith("file://"))
    throw new BootwrightError("OFFLINE", `${remote.shown} would be asked, which --offline forbids`);
}
