import { expect, it } from "vitest";
import { buildProgress } from "./build-progress.ts";

function watch(...lines: string[]) {
  const told: string[] = [];
  const watcher = buildProgress("kernel:k")({
    progress: (done, { total, what } = {}) => told.push(`${what} ${done}/${total ?? "?"}`),
    emit: (event) => told.push(event.type === "note" ? event.text : event.type),
  });
  for (const line of lines) watcher.line(line);
  watcher.end?.();
  return told;
}

it("counts files as they are compiled, of as many as were announced", () => {
  expect(
    watch("bootwright: objects 2", "bootwright: compiling", "  CC      a.o", "  LD      x.o", "  AS [M]  b.o"),
  ).toEqual(["compiling 0/2", "compiling 1/2", "compiling 2/2"]);
});

it("more files than announced move the end", () => {
  expect(watch("bootwright: objects 1", "  CC      a.o", "  CC      b.o")).toEqual(["compiling 1/1", "compiling 2/2"]);
  expect(watch("bootwright: objects 1", "  CC      a.o", "  CC      b.o", "bootwright: collecting").at(-1)).toBe(
    "collecting 2/2",
  );
});

it("counts warnings, and says so at the end", () => {
  const warning = "../src/a.c:1:2: warning: unused variable 'x' [-Wunused-variable]";
  expect(watch(warning, "a note about warnings", warning)).toEqual(["kernel:k: the compiler gave 2 warnings"]);
});
