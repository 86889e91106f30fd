/** The public API. Only names: a config imports this file, so it must load nothing. */
export { defineProject, type Override, type Project } from "./config/define.ts";
export type { ResolvedConfig } from "./config/resolved.ts";
