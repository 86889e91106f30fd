/**
 * A sweeper that is a process of its own: `sweeper.ts '{"place":…}'`. What lies below `files/` under a digest counts as two days old, so that it stands in
 * the way of publishers as much as it can.
 */
import { isBootwrightError } from "../../src/base/errors.ts";
import { SWEPT_AFTER } from "../../src/base/sweep.ts";
import { sweepFiles } from "../../src/publish/sweep.ts";
import { openTestPlace, type TestPlace } from "./test-place.ts";

const { place: at } = JSON.parse(process.argv[2]!) as { readonly place: TestPlace };
const place = openTestPlace(at);
const aged = (path: string, modified: number): number =>
  path.startsWith("files/sha256-") ? modified - 2 * SWEPT_AFTER : modified;
process.stdout.write("go\n");
try {
  const swept = await sweepFiles(
    {
      ...place,
      async modified(path) {
        const modified = await place.modified(path);
        return modified && aged(path, modified);
      },
      async *list(folders) {
        for await (const one of place.list(folders)) yield { ...one, modified: aged(one.path, one.modified) };
      },
    },
    { beside: [], signal: new AbortController().signal, dryRun: false },
  );
  process.stdout.write(`${swept.length} swept\n`);
} catch (error) {
  process.stdout.write(`${isBootwrightError(error) ? error.code : error}\n`);
}
process.exit();
