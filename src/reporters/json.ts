import { type Clock, systemClock } from "../base/clock.ts";
import type { Reporter } from "./reporter.ts";
import type { Screen } from "./screen.ts";

/** One JSON object a line on stderr: the event itself, with `at` in milliseconds since the start. */
export function jsonReporter(screen: Pick<Screen, "stderr">, clock: Clock = systemClock): Reporter {
  const began = clock.elapsed();
  return {
    event: (event) => screen.stderr.write(`${JSON.stringify({ at: Math.round(clock.elapsed() - began), ...event })}\n`),
    close: () => {},
  };
}
