import fs from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { systemClock } from "../base/clock.ts";
import { LargeFile, ROOM } from "./large-file.ts";

const LARGE = 2 ** 30;
const SMALL = 2 ** 20;

afterEach(() => vi.restoreAllMocks());

/** Two runs with a hole before them and one between, and an end that is no multiple of anything. */
function write({ written, rooms = 1 }: { written: number; rooms?: number }) {
  const name = path.join(tempDir(), "file");
  const size = ROOM * rooms + 8192 + 5;
  const wanted = Buffer.alloc(size);
  const file = new LargeFile(name, { size, written });
  for (let i = 0; i < rooms; i++) {
    file.room.fill(`room ${i}`);
    file.write(i * ROOM, { from: 65_536, to: 2 * 65_536 });
    file.write(i * ROOM, { from: 524_288, to: ROOM });
    file.room.copy(wanted, i * ROOM + 65_536, 65_536, 2 * 65_536);
    file.room.copy(wanted, i * ROOM + 524_288, 524_288, ROOM);
  }
  file.room.fill("end");
  file.write(rooms * ROOM, { from: 0, to: 8192 + 5 });
  Buffer.alloc(8192 + 5, "end").copy(wanted, rooms * ROOM);
  file[Symbol.dispose]();
  expect(fs.readFileSync(name).equals(wanted)).toBe(true);
  return fs.statSync(name);
}

/** Which file descriptors go past the page cache, and how often each is written to. */
function spies({ first }: { first?: (direct: boolean) => void } = {}) {
  const direct = new Set<number>();
  const writes = { direct: 0, cached: 0 };
  const { openSync, writeSync } = fs;
  vi.spyOn(fs, "openSync").mockImplementation((name, flags, mode) => {
    const fd = openSync(name, flags!, mode);
    direct.delete(fd);
    if (typeof flags === "number" && flags & fs.constants.O_DIRECT) direct.add(fd);
    return fd;
  });
  vi.spyOn(fs, "writeSync").mockImplementation(((
    fd: number,
    ...rest: [NodeJS.ArrayBufferView, number, number, number]
  ) => {
    first?.(direct.has(fd));
    writes[direct.has(fd) ? "direct" : "cached"]++;
    return writeSync(fd, ...rest);
  }) as typeof fs.writeSync);
  return writes;
}

describe("LargeFile", () => {
  it.each([
    ["with little in it goes through the page cache", SMALL, { direct: 0, cached: 3 }],
    ["with much in it goes past the page cache", LARGE, { direct: 3, cached: 0 }],
  ])("%s, with its holes", (_, written, wanted) => {
    const writes = spies();
    const { mode, blocks, size } = write({ written });
    expect(mode & 0o777).toBe(0o444);
    expect(blocks * 512).toBeLessThan(size - 400_000);
    expect(writes).toEqual(wanted);
  });

  it("has the same bytes where the file system wants other multiples", () => {
    const refused = Object.assign(new Error("EINVAL: invalid argument, write"), { code: "EINVAL", syscall: "write" });
    const writes = spies({
      first: (direct) => {
        if (direct) throw refused;
      },
    });
    write({ written: LARGE });
    expect(writes).toEqual({ direct: 0, cached: 3 });
  });

  it("has the same bytes where there is no way past the page cache", () => {
    const { openSync } = fs;
    vi.spyOn(fs, "openSync").mockImplementation((name, flags, mode) => {
      if (typeof flags === "number" && flags & fs.constants.O_DIRECT)
        throw Object.assign(new Error("EINVAL: invalid argument, open"), { code: "EINVAL", syscall: "open" });
      return openSync(name, flags!, mode);
    });
    write({ written: LARGE });
  });

  it("leaves a slow disk its time, once it has shown itself", () => {
    let now = 0;
    vi.spyOn(systemClock, "elapsed").mockImplementation(() => (now += 100));
    const writes = spies();
    write({ written: LARGE, rooms: 20 });
    // 64 MiB are reached within the 19th room.
    expect(writes).toEqual({ direct: 36, cached: 5 });
  });

  it("is never written over another", () => {
    const name = path.join(tempDir(), "file");
    fs.writeFileSync(name, "mine");
    expect(() => new LargeFile(name, { size: 1, written: 1 })).toThrow("EEXIST");
    expect(fs.readFileSync(name, "utf8")).toBe("mine");
  });
});
