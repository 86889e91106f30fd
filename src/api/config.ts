/** The project's config, as every verb loads it. */
import path from "node:path";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import type { Session } from "./session.ts";

/** Throws CONFIG_NOT_FOUND, CONFIG_LOAD_FAILED, CONFIG_INVALID, ENV_MISSING or NAME_UNKNOWN. */
export const loadProject = (session: Session): Promise<LoadedConfig> =>
  loadConfig({
    cwd: session.cwd,
    config: session.configFile,
    profiles: session.profiles,
    env: session.env,
    cacheDir: path.join(session.storeDir, "configs"),
  });
