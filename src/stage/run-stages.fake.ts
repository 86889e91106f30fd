/** A second process on the same store: `node run-stages.fake.ts STORE NAME…` runs one slow stage a name, and prints those that ran. */
import { systemClock } from "../base/clock.ts";
import { silent } from "../base/events.ts";
import { Store } from "../store/store.ts";
import { runStages } from "./scheduler.ts";
import { type Log, textStage } from "./stages.fake.ts";

export const slowStages = (names: readonly string[], log: Log) =>
  names.map((name) => textStage(name, { text: name, log, during: () => systemClock.sleep(150) }));

if (import.meta.main) {
  const [dir, ...names] = process.argv.slice(2) as [string, ...string[]];
  const log: Log = [];
  const store = new Store(dir);
  await runStages(slowStages(names, log), {
    store,
    emit: silent,
    signal: new AbortController().signal,
    project: "other",
  });
  store.close();
  process.stdout.write(log.join(" "));
}
