/** What the repositories of a platform have published for a version. */
import type { ReleaseArtifact } from "../release/document.ts";
import type { Platform } from "./platform.ts";

export async function publishedArtifacts(_platform: Platform, _version: string): Promise<readonly ReleaseArtifact[]> {
  return [];
}
