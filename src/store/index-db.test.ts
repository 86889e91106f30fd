import fs from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { listing, tempDir } from "../../test/support/temp-store.ts";
import { IndexDb } from "./index-db.ts";

function open(dir: string, options: { readonly?: boolean } = {}): IndexDb {
  const db = new IndexDb(dir, options);
  onTestFinished(() => {
    try {
      db.close();
    } catch {} // Closed by the test.
  });
  return db;
}

const put = (db: IndexDb, root: string, size = 1) =>
  db.run("INSERT INTO snapshots (root, data, used) VALUES (?, ?, 1)", root, Buffer.alloc(size, root));
const roots = (db: IndexDb) =>
  db.all<{ root: string }>("SELECT root FROM snapshots ORDER BY root").map((row) => row.root);
const indexFile = (dir: string) => path.join(dir, "index.sqlite");

describe("a transaction", () => {
  it("keeps all or nothing", () => {
    const db = open(tempDir());
    expect(() =>
      db.transaction(() => {
        put(db, "a");
        throw new Error("changed my mind");
      }),
    ).toThrow("changed my mind");
    expect(roots(db)).toEqual([]);
    expect(db.transaction(() => put(db, "b"))).toBe(1);
    expect(roots(db)).toEqual(["b"]);
  });

  it("is seen by other connections when it is over", () => {
    const dir = tempDir();
    const [one, two] = [open(dir), open(dir)];
    one.transaction(() => {
      put(one, "a");
      expect(roots(two)).toEqual([]);
    });
    expect(roots(two)).toEqual(["a"]);
    put(two, "b");
    expect(roots(one)).toEqual(["a", "b"]);
  });
});

describe("a damaged index", () => {
  it("that is no database is set aside, and a new one made", () => {
    const dir = tempDir();
    fs.writeFileSync(indexFile(dir), "not a database, but long enough to look like something".repeat(40));
    expect(roots(open(dir))).toEqual([]);
    expect(fs.readFileSync(`${indexFile(dir)}.damaged`, "latin1")).toMatch(/^not a database/);
  });

  it("that is found while it is used is set aside, too: the next command works", () => {
    const dir = tempDir();
    const first = open(dir);
    for (let i = 0; i < 60; i++) put(first, `root-${i}`, 4000);
    first.close();
    const bytes = fs.readFileSync(indexFile(dir));
    bytes.fill(0xa5, 8192); // Behind the header and the schema.
    fs.writeFileSync(indexFile(dir), bytes);
    const second = open(dir);
    expect(() => second.all("SELECT * FROM snapshots")).toThrow(
      expect.objectContaining({ code: "IO", hint: expect.stringContaining("run the command again") }),
    );
    second.close();
    const third = open(dir);
    put(third, "works");
    expect(roots(third)).toEqual(["works"]);
  });

  it("reads as empty where nothing may be written", () => {
    const dir = tempDir();
    fs.writeFileSync(indexFile(dir), "not a database".repeat(100));
    const before = listing(dir);
    expect(roots(open(dir, { readonly: true }))).toEqual([]);
    expect(listing(dir)).toEqual(before);
  });

  it("of another version of the schema is emptied", () => {
    const dir = tempDir();
    const first = open(dir);
    put(first, "old");
    first.close();
    const raw = new DatabaseSync(indexFile(dir));
    raw.exec("PRAGMA user_version = 999");
    raw.close();
    expect(roots(open(dir, { readonly: true }))).toEqual([]);
    expect(roots(open(dir))).toEqual([]);
  });
});

describe("read-only", () => {
  it("creates nothing and refuses to write", () => {
    const dir = tempDir();
    expect(roots(open(dir, { readonly: true }))).toEqual([]);
    expect(listing(dir)).toEqual([]);
    open(dir).close();
    const before = listing(dir);
    const db = open(dir, { readonly: true });
    expect(() => put(db, "a")).toThrow(expect.objectContaining({ code: "ACCESS_DENIED" }));
    db.close();
    expect(listing(dir)).toEqual(before);
  });

  it("sees what a connection beside it has written and not yet merged", () => {
    const dir = tempDir();
    put(open(dir), "fresh");
    expect(fs.existsSync(`${indexFile(dir)}-wal`)).toBe(true);
    expect(roots(open(dir, { readonly: true }))).toEqual(["fresh"]);
  });
});

it("a store on a path that no file can have is an error with a code", () => {
  expect(() => new IndexDb("/sys/bootwright")).toThrow(expect.objectContaining({ code: "ACCESS_DENIED" }));
});
