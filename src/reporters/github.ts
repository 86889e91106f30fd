/** GitHub Actions: the build's lines fold into a group; warnings and failures become annotations. */

import type { ErrorLocation } from "../base/errors.ts";
import { plainReporter } from "./plain.ts";
import type { Reporter } from "./reporter.ts";
import type { Screen } from "./screen.ts";

export function githubReporter(screen: Screen, options: { debug: boolean }): Reporter {
  const plain = plainReporter(screen, options);
  let open = false;
  const end = () => {
    if (open) screen.stderr.write("::endgroup::\n");
    open = false;
  };
  return {
    event: (event) => {
      if (event.type === "build.start") {
        end();
        screen.stderr.write(`::group::build, ${event.stages} stages\n`);
        open = true;
      } else if (event.type === "build.done") end();
      else if (event.type === "warning") screen.stderr.write(`::warning::${escapeData(event.text)}\n`);
      else plain.event(event);
    },
    close: end,
  };
}

export function errorAnnotation(message: string, location?: ErrorLocation): string {
  const place = location === undefined ? [] : [`file=${escapeProperty(location.file)}`];
  if (location?.line !== undefined) place.push(`line=${location.line}`, `col=${location.column ?? 1}`);
  return `::error${place.length > 0 ? ` ${place.join(",")}` : ""}::${escapeData(message)}\n`;
}

const escapeData = (text: string): string =>
  text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");

const escapeProperty = (text: string): string => escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
