/** The host programs that stages will need: asked for before the first one runs. */
import { requireTools } from "../base/host-tools.ts";
import { sandboxKind } from "../stage/sandbox.ts";
import type { AnyStage } from "../stage/stage.ts";
import type { Store } from "../store/store.ts";

/** Throws HOST_TOOL_MISSING or SANDBOX_UNAVAILABLE. Stages whose result is pinned and there need nothing. */
export function requireStageTools(stages: readonly AnyStage[], store: Store): void {
  const waiting = stages.filter(
    (stage) =>
      stage.pinned === undefined || !Object.values(stage.pinned).every((artifact) => store.blobs.has(artifact)),
  );
  if (waiting.some((stage) => stage.kind === "git")) requireTools(["git"]);
  if (waiting.some((stage) => stage.command !== undefined)) sandboxKind();
}
