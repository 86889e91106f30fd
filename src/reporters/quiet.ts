import { plainConsole } from "./describe.ts";
import type { Reporter } from "./reporter.ts";
import { paint, type Screen } from "./screen.ts";

/** Warnings only; a guest's console is the result of `boot`, so it stays. */
export const quietReporter = (screen: Screen): Reporter => ({
  event: (event) => {
    if (event.type === "warning") screen.stderr.write(`${paint(screen, "yellow", "warning")} ${event.text}\n`);
    if (event.type === "machine.console")
      screen.stdout.write(screen.stdoutIsTTY ? event.text : plainConsole(event.text));
  },
  close: () => {},
});
