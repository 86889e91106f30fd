/** For logs: lines are only added, each with its stage's number; progress is thinned by both share and time. */
import { type Clock, systemClock } from "../base/clock.ts";
import { shortDigest } from "../base/digest.ts";
import type { BuildEvent } from "../base/events.ts";
import { formatDuration, formatSize } from "../base/size.ts";
import { plainConsole, progressText, standaloneText } from "./describe.ts";
import type { Reporter } from "./reporter.ts";
import type { Screen } from "./screen.ts";

const STEP_MS = 2000;
const STEP_SHARE = 0.1;
const KEPT_LINES = 40;

interface StageState {
  readonly id: number;
  readonly output: string[];
  shownAt: number;
  shownShare: number;
}

export function plainReporter(screen: Screen, options: { debug: boolean }, clock: Clock = systemClock): Reporter {
  const stages = new Map<string, StageState>();
  const line = (text: string) => screen.stderr.write(`${text}\n`);

  const stateOf = (stage: string): StageState => {
    let state = stages.get(stage);
    if (state === undefined) {
      state = { id: stages.size + 1, output: [], shownAt: clock.elapsed(), shownShare: 0 };
      stages.set(stage, state);
    }
    return state;
  };
  const say = (stage: string, text: string) => line(`#${stateOf(stage).id} ${stage}: ${text}`);

  const event = (event: BuildEvent): void => {
    switch (event.type) {
      case "stage.start":
        say(event.stage, `start (${event.reason})`);
        return;
      case "stage.cached":
        say(event.stage, `cached ${shortDigest(event.digest)}`);
        return;
      case "stage.done":
        say(event.stage, `done ${formatDuration(event.ms)} ${shortDigest(event.digest)} ${formatSize(event.bytes)}`);
        return;
      case "stage.failed": {
        const { output } = stateOf(event.stage);
        if (!options.debug) for (const text of output) say(event.stage, `| ${text}`);
        say(event.stage, `failed after ${formatDuration(event.ms)}: ${event.message}`);
        return;
      }
      case "stage.output": {
        if (options.debug) {
          say(event.stage, `| ${event.line}`);
          return;
        }
        const { output } = stateOf(event.stage);
        output.push(event.line);
        if (output.length > KEPT_LINES) output.shift();
        return;
      }
      case "stage.progress": {
        const state = stateOf(event.stage);
        const share = event.total ? event.done / event.total : 0;
        const now = clock.elapsed();
        if (now - state.shownAt < STEP_MS || (event.total !== undefined && share - state.shownShare < STEP_SHARE))
          return;
        state.shownAt = now;
        state.shownShare = share;
        say(event.stage, progressText(event));
        return;
      }
      case "machine.console":
        screen.stdout.write(screen.stdoutIsTTY ? event.text : plainConsole(event.text));
        return;
      default: {
        const text = standaloneText(event, options.debug);
        if (text !== undefined) line(text);
      }
    }
  };
  return { event, close: () => {} };
}
