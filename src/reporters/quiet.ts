import type { Reporter } from "./reporter.ts";
import { paint, type Screen } from "./screen.ts";

/** Warnings only. */
export const quietReporter = (screen: Screen): Reporter => ({
  event: (event) => {
    if (event.type === "warning") screen.stderr.write(`${paint(screen, "yellow", "warning")} ${event.text}\n`);
    if (event.type === "machine.console" && screen.stdoutIsTTY) screen.stdout.write(event.text);
  },
  close: () => {},
});
