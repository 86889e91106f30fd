/** Compares a machine's screen with the picture that the repository keeps. */
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";
import { decodePng, encodePng, type Picture, type Screen } from "../vm/index.ts";
import { type CurrentTest, shared } from "./collector.ts";
import { comparePictures, crop, type Region } from "./picture-diff.ts";

export interface ScreenMatchOptions {
  /** Only this part, in pixels from the top left. The kept picture holds this part only. */
  readonly region?: Region;
  /** Milliseconds until the screen must match; default 5000. */
  readonly timeout?: number;
}

/** What is wrong, or undefined when the screen matches. Throws USAGE outside of a test. */
export async function matchScreen(
  screen: Screen,
  name: string,
  options: ScreenMatchOptions,
): Promise<string | undefined> {
  const test = shared().current.getStore();
  if (test === undefined)
    throw new BootwrightError("USAGE", "expect(screen).toMatch() was called outside of a boot test");
  const golden = path.resolve(path.dirname(test.file), name);
  const kept = readIfExists(golden);
  if (kept === undefined || test.updateScreens) return record(await take(screen, options), { golden, test, kept });
  return compare(screen, { options, expected: decodePng(kept), name, test });
}

async function take(screen: Screen, { region, timeout }: ScreenMatchOptions): Promise<Picture> {
  const picture = decodePng(await screen.still(timeout === undefined ? {} : { timeout }));
  return region === undefined ? picture : crop(picture, region);
}

function record(
  picture: Picture,
  { golden, test, kept }: { golden: string; test: CurrentTest; kept: Buffer | undefined },
): string | undefined {
  writeFileAtomic(golden, encodePng(picture));
  if (kept !== undefined || test.updateScreens) return undefined;
  // A run that makes its own expectation proves nothing.
  return `there was no picture ${golden} to compare with: the screen was recorded as it. Look at it, commit it, run again.`;
}

interface Comparison {
  readonly options: ScreenMatchOptions;
  readonly expected: Picture;
  readonly name: string;
  readonly test: CurrentTest;
}

/** Tries again until the time is over: the picture may be still before the guest has drawn what is waited for. */
async function compare(screen: Screen, { options, expected, name, test }: Comparison): Promise<string | undefined> {
  const end = systemClock.elapsed() + (options.timeout ?? 5000);
  for (;;) {
    const received = await take(screen, options);
    const sameSize = received.width === expected.width && received.height === expected.height;
    const difference = sameSize ? comparePictures(expected, received) : undefined;
    if (sameSize && difference === undefined) return undefined;
    if (systemClock.elapsed() < end) {
      await systemClock.sleep(200, test.signal);
      continue;
    }
    const base = path.basename(name, ".png");
    test.attach(`${base}-expected.png`, encodePng(expected));
    const file = test.attach(`${base}-received.png`, encodePng(received));
    if (difference === undefined)
      return `the screen is ${received.width}x${received.height}, the picture ${name} ${expected.width}x${expected.height} (received: ${file})`;
    const diff = test.attach(`${base}-diff.png`, encodePng(difference.picture));
    const { x, y, width, height } = difference.bounds;
    return `the screen differs from ${name} in ${difference.count} pixels, all within ${width}x${height} at ${x},${y} (see ${diff})`;
  }
}
