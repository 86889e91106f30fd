import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The file that takes longest: begun last, it would go on alone when all others have ended. */
const FIRST = "test/e2e/examples.test.ts";

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return [true, false].flatMap((first) => sorted.filter(({ moduleId }) => moduleId.endsWith(`/${FIRST}`) === first));
  }
}

export default defineConfig({
  test: {
    // A machine under software emulation takes a whole processor: more at once makes each slower, not all faster.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: "unit", include: ["src/**/*.test.ts"], testTimeout: 30_000 } },
      {
        extends: true,
        test: { name: "whole", include: ["test/**/*.test.ts"], testTimeout: 300_000, hookTimeout: 900_000 },
      },
    ],
  },
});
