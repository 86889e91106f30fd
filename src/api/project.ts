/** A project opened for one command: its config, lock, store, and the plan that they mean. Close it. */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists } from "../base/fs.ts";
import { closeConnections } from "../base/http.ts";
import { ownFile } from "../base/own-package.ts";
import { Library } from "../catalog/library.ts";
import { loadConfig } from "../config/load.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { PlanContext } from "../plan/context.ts";
import { planImage } from "../plan/images.ts";
import type { PlannedImage } from "../plan/planned-image.ts";
import { aptSources } from "../source/apt-config.ts";
import { type Lock, loadLock } from "../source/lock.ts";
import { Store } from "../store/store.ts";
import { pinMissing } from "./pins.ts";
import type { Session } from "./session.ts";

export interface Project extends AsyncDisposable {
  readonly session: Session;
  readonly config: ResolvedConfig;
  /** Files that the config consists of. */
  readonly configFiles: readonly string[];
  /** Absolute path of the config: what tells projects apart in the store. */
  readonly configFile: string;
  readonly lockFile: string;
  readonly store: Store;
  readonly outDir: string;
}

export interface ProjectPlan {
  readonly images: readonly PlannedImage[];
  readonly ctx: PlanContext;
  readonly lock: Lock;
}

/** `readonly`: for commands that promise to write nothing, the memory of local files included. */
export async function openProject(session: Session, options: { readonly?: boolean } = {}): Promise<Project> {
  const { config, file, files } = await loadConfig({
    cwd: session.cwd,
    config: session.configFile,
    profiles: session.profiles,
    env: session.env,
    cacheDir: options.readonly ? undefined : path.join(session.storeDir, "configs"),
  });
  const store = new Store(session.storeDir, options);
  return {
    session,
    config,
    configFiles: files,
    configFile: file,
    lockFile: path.join(config.dir, "bootwright.lock"),
    store,
    outDir: path.join(config.dir, "out"),
    [Symbol.asyncDispose]: async () => {
      store.close();
      await closeConnections();
    },
  };
}

/** Plans images by name (none named: all). Writes nothing; what the lock lacks is in `ctx.missing`. */
export function planProject(
  project: Project,
  { images, lock }: { images: readonly string[]; lock?: Lock },
): ProjectPlan {
  const { config } = project;
  const known = lock ?? loadLock(project.lockFile);
  const ctx = planContext(project, known);
  const names = images.length > 0 ? images : Object.keys(config.images);
  if (names.length === 0)
    throw new BootwrightError("CONFIG_INVALID", "the config has no images", {
      hint: 'add one: images: { hello: { kind: "uki" } }',
    });
  return { images: names.map((name) => planImage(ctx, name)), ctx, lock: known };
}

/** Plans, and pins what the lock lacks (LOCK_FROZEN, OFFLINE where that is forbidden). */
export async function planPinned(project: Project, images: readonly string[]): Promise<ProjectPlan> {
  const plan = planProject(project, { images });
  if (plan.ctx.missing.size === 0) return plan;
  const lock = await pinMissing(project, plan);
  return planProject(project, { images, lock });
}

/** As planPinned, for what is no image. */
export async function planPinnedWith<T>(
  project: Project,
  plan: (ctx: PlanContext) => T,
): Promise<{ planned: T; ctx: PlanContext }> {
  const ctx = planContext(project, loadLock(project.lockFile));
  const planned = plan(ctx);
  if (ctx.missing.size === 0) return { planned, ctx };
  const again = planContext(project, await pinMissing(project, { ctx }));
  return { planned: plan(again), ctx: again };
}

function planContext({ config, session, store }: Project, lock: Lock): PlanContext {
  const library = new Library(session.dataDir);
  return new PlanContext({
    config,
    lock,
    store,
    offline: session.offline,
    agentScript: guestScript("agent"),
    updateScript: guestScript("update"),
    partuuidScript: guestScript("partuuid"),
    readFragment,
    aptSources: () => aptSources(config.sources.debian, { projectDir: config.dir }),
    layerBytes: async function* (image, layer, options) {
      yield* (await import("./registry-images.ts")).layerBytes({ session, config }, { image, layer, ...options });
    },
    remoteBytes: async function* (place) {
      yield* (await import("./remote-bytes.ts")).remoteBytes({ config, session }, place);
    },
    ownBundle: (sha256) => library.list().find((one) => one.sha256 === sha256)?.file,
  });
}

const readFragment = (name: string): string | undefined =>
  readIfExists(ownFile(`fragments/${name}.config`))?.toString("utf8");

const scripts = new Map<string, string>();

/** What runs inside images, as text. */
function guestScript(name: "agent" | "update" | "partuuid"): string {
  let text = scripts.get(name);
  if (text === undefined) {
    text = fs.readFileSync(ownFile(`guest/${name}.sh`), "utf8");
    scripts.set(name, text);
  }
  return text;
}
