/**
 * The store's index: which key gave which outputs, what each stage's last decision was, who is building now. SQLite in
 * WAL mode, shared by all builds of a user; every write is one transaction, so a kill leaves the state before or after.
 * The index is a cache: when it is lost or damaged it is made again, and only work is lost.
 */
import fs from "node:fs";
import path from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { BootwrightError, ioError, messageOf, SPACE_HINT, systemCode } from "../base/errors.ts";

const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE results (key TEXT PRIMARY KEY, stage TEXT NOT NULL, outputs TEXT NOT NULL, ms REAL NOT NULL, made INTEGER NOT NULL, used INTEGER NOT NULL) STRICT;
  CREATE TABLE builds (id TEXT PRIMARY KEY, pid INTEGER NOT NULL, boot TEXT NOT NULL, started INTEGER NOT NULL) STRICT;
  CREATE TABLE uses (build TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (build, key)) STRICT, WITHOUT ROWID;
  CREATE TABLE turns (key TEXT PRIMARY KEY, build TEXT NOT NULL, pid INTEGER NOT NULL, boot TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE refs (project TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, hash TEXT NOT NULL, size INTEGER NOT NULL, key TEXT NOT NULL, made INTEGER NOT NULL, PRIMARY KEY (project, name)) STRICT;
  CREATE TABLE decisions (project TEXT NOT NULL, stage TEXT NOT NULL, decided INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (project, stage)) STRICT;
  CREATE TABLE snapshots (root TEXT PRIMARY KEY, data BLOB NOT NULL, used INTEGER NOT NULL) STRICT;
`;

export class IndexDb {
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #statements = new Map<string, StatementSync>();

  constructor(storeDir: string, options: { readonly?: boolean } = {}) {
    const file = path.join(storeDir, "index.sqlite");
    this.#file = file;
    if (options.readonly) {
      this.#db = openReadonly(file);
      return;
    }
    try {
      this.#db = openDatabase(file);
    } catch (error) {
      if (!isDamaged(error)) throw sqliteError(error, { operation: "open", file });
      setAside(file);
      this.#db = openDatabase(file);
    }
  }

  all<Row>(sql: string, ...values: (string | number | Uint8Array)[]): Row[] {
    return this.#guard(() => this.#prepare(sql).all(...values) as Row[]);
  }

  get<Row>(sql: string, ...values: (string | number | Uint8Array)[]): Row | undefined {
    return this.#guard(() => this.#prepare(sql).get(...values) as Row | undefined);
  }

  run(sql: string, ...values: (string | number | Uint8Array)[]): number {
    return this.#guard(() => Number(this.#prepare(sql).run(...values).changes));
  }

  /** Runs `body` in one write transaction; nothing of it stays when it throws. */
  transaction<T>(body: () => T): T {
    this.#guard(() => this.#db.exec("BEGIN IMMEDIATE"));
    try {
      const value = body();
      this.#guard(() => this.#db.exec("COMMIT"));
      return value;
    } catch (error) {
      try {
        this.#db.exec("ROLLBACK");
      } catch {}
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (!isDamaged(error)) throw sqliteError(error, { operation: "use", file: this.#file });
      setAside(this.#file);
      throw new BootwrightError("IO", `the store's index is damaged (${messageOf(error)}); it is set aside`, {
        hint: "run the command again: the index is made anew",
        cause: error,
      });
    }
  }
}

/** The index is only a cache; the next one that opens it starts afresh. */
function setAside(file: string): void {
  try {
    fs.renameSync(file, `${file}.damaged`);
    for (const suffix of ["-wal", "-shm"]) fs.rmSync(file + suffix, { force: true });
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw ioError("rename", file, error); // Another process was first.
  }
}

/**
 * An index that is not there, damaged, or of another version, reads as an empty one. Without a `-wal` beside it nobody has
 * it open, and it is read as a file that does not change: else SQLite would leave a new `-wal` and `-shm` behind.
 */
function openReadonly(file: string): DatabaseSync {
  if (fs.existsSync(file)) {
    const url = pathToFileURL(file);
    if (!fs.existsSync(`${file}-wal`)) url.searchParams.set("immutable", "1");
    const db = new DatabaseSync(url, { readOnly: true, timeout: 20_000 });
    try {
      if (schemaVersion(db) === SCHEMA_VERSION) return db;
    } catch (error) {
      if (!isDamaged(error)) throw sqliteError(error, { operation: "open", file });
    }
    db.close();
  }
  const empty = new DatabaseSync(":memory:");
  empty.exec(SCHEMA);
  return empty;
}

function openDatabase(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 20_000 });
  try {
    // NORMAL loses at most the last transactions on power loss, never consistency; a lost result is only work.
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    if (schemaVersion(db) !== SCHEMA_VERSION) createSchema(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Two processes may come here at once: the second finds the work done. */
function createSchema(db: DatabaseSync): void {
  db.exec("BEGIN IMMEDIATE");
  const version = schemaVersion(db);
  if (version !== SCHEMA_VERSION) {
    if (version !== 0)
      for (const table of ["results", "builds", "uses", "turns", "refs", "decisions", "snapshots"])
        db.exec(`DROP TABLE IF EXISTS ${table}`);
    db.exec(SCHEMA);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  }
  db.exec("COMMIT");
}

const schemaVersion = (db: DatabaseSync): number =>
  (db.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;

const sqliteCode = (error: unknown): number =>
  error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;

/** SQLITE_CORRUPT, SQLITE_NOTADB. */
const isDamaged = (error: unknown): boolean => [11, 26].includes(sqliteCode(error));

function sqliteError(error: unknown, { operation, file }: { operation: string; file: string }): unknown {
  const what = `cannot ${operation} the store's index ${file}`;
  const reason = messageOf(error);
  const code = sqliteCode(error);
  switch (code) {
    case 0:
      return error;
    case 5: // SQLITE_BUSY
      return new BootwrightError("STORE_LOCKED", `${what}: another process holds it`, { cause: error });
    case 3: // SQLITE_PERM
    case 8: // SQLITE_READONLY
    case 14: // SQLITE_CANTOPEN
    case 23: // SQLITE_AUTH
      return new BootwrightError("ACCESS_DENIED", `${what}: ${reason}`, { cause: error });
    default:
      // SQLITE_FULL; but where the write-ahead log or its index finds no space, SQLite says SQLITE_IOERR.
      if (code === 13 || (code === 10 && isDiskFull(file)))
        return new BootwrightError("DISK_FULL", `${what}: no space left`, { hint: SPACE_HINT, cause: error });
      return new BootwrightError("IO", `${what}: ${reason}`, { cause: error });
  }
}

/** SQLite writes some tens of kilobytes at once. */
function isDiskFull(file: string): boolean {
  try {
    const { bavail, bsize } = fs.statfsSync(path.dirname(file));
    return bavail * bsize < 1024 * 1024;
  } catch {
    return false;
  }
}
