import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // A machine under software emulation takes a whole processor: more at once makes each slower, not all faster.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: "unit", include: ["src/**/*.test.ts"], testTimeout: 30_000 } },
      {
        extends: true,
        test: { name: "whole", include: ["test/**/*.test.ts"], testTimeout: 300_000, hookTimeout: 900_000 },
      },
    ],
  },
});
