/** The store: list, verify, collect garbage. */
import { systemClock } from "../base/clock.ts";
import { EXIT } from "../base/error-codes.ts";
import { formatSize } from "../base/size.ts";
import { assembledFiles } from "../store/assembled-file.ts";
import { cachesSize } from "../store/caches.ts";
import { collect } from "../store/collect.ts";
import { Store } from "../store/store.ts";
import { listTmp } from "../store/tmp.ts";
import { verifyStore } from "../store/verify.ts";
import type { Report, Session } from "./session.ts";

export interface StoreOptions {
  readonly action: "ls" | "verify" | "gc";
  /** Bytes that gc leaves; default 0: only what refs and running builds need stays. */
  readonly keep?: number;
  readonly dryRun: boolean;
}

export async function store(session: Session, options: StoreOptions): Promise<Report> {
  const opened = new Store(session.storeDir);
  try {
    switch (options.action) {
      case "verify":
        return verifyReport(opened, session);
      case "gc":
        return gcReport(opened, options);
      default:
        return listReport(opened);
    }
  } finally {
    opened.close();
  }
}

function listReport(store: Store): Report {
  const caches = cachesSize(store.dir);
  const blobs = [...store.blobs.list()];
  const inodes = new Set(blobs.map(({ inode }) => inode));
  const assembled = assembledFiles(store.dir).filter(({ inode }) => !inodes.has(inode));
  const bytes = [...blobs, ...assembled].reduce((sum, one) => sum + one.size, 0);
  const [{ results }] = store.db.all<{ results: number }>("SELECT count(*) AS results FROM results") as [
    { results: number },
  ];
  const refs = store.db
    .all<{ project: string; name: string; kind: string; hash: string; size: number }>(
      "SELECT project, name, kind, hash, size FROM refs ORDER BY project, name",
    )
    .map((ref) =>
      ref.kind === "extents" && store.blobs.has(ref) ? { ...ref, size: store.getExtents(ref).size } : ref,
    );
  const left = listTmp(store.dir).filter((entry) => !entry.alive).length;
  return {
    data: {
      dir: store.dir,
      blobs: blobs.length,
      bytes,
      caches,
      results,
      refs: refs.map((ref) => ({ ...ref })),
      running: store.running().length,
      leftovers: left,
    },
    text: [
      `${store.dir}: ${blobs.length} blobs, ${formatSize(bytes)}, ${results} results${caches === 0 ? "" : `, ${formatSize(caches)} of programs' caches`}`,
      ...refs.map(
        (ref) =>
          `  ${ref.name.padEnd(16)} ${formatSize(ref.size).padStart(10)}  sha256:${ref.hash.slice(0, 12)}  ${ref.project}`,
      ),
      ...(left > 0
        ? [`  ${left} leftover file${left === 1 ? "" : "s"} of killed builds; \`bootwright store gc\` removes them`]
        : []),
    ].join("\n"),
  };
}

function verifyReport(store: Store, session: Session): Report {
  const report = verifyStore(store, (done) =>
    session.emit({ type: "stage.progress", stage: "verify", done, unit: "bytes", what: "hashing" }),
  );
  const damaged = [...report.damaged, ...report.damagedFiles];
  return {
    data: { blobs: report.blobs, bytes: report.bytes, damaged, incomplete: report.incomplete },
    text:
      damaged.length === 0
        ? `${report.blobs} blobs, ${formatSize(report.bytes)}: all have their digest`
        : damaged.map((hash) => `damaged, dropped: sha256:${hash}`).join("\n"),
    summary:
      report.incomplete === 0 ? "" : `${report.incomplete} results are forgotten; the next build makes them again`,
    exit: damaged.length === 0 ? EXIT.ok : EXIT.verification,
  };
}

function gcReport(store: Store, { keep = 0, dryRun }: StoreOptions): Report {
  const report = collect(store, { keep, dryRun, now: systemClock.now() });
  const would = dryRun ? "would remove" : "removed";
  return {
    data: { ...report, dryRun },
    text: `${would} ${report.removedBlobs} blobs (${formatSize(report.freed)}) and ${report.removedResults} results${
      report.freedCaches === 0 ? "" : `, ${formatSize(report.freedCaches)} of programs' caches`
    }; ${report.keptBlobs} blobs (${formatSize(report.kept)}) stay`,
    exit: dryRun && report.removedBlobs + report.freedCaches > 0 ? EXIT.different : EXIT.ok,
  };
}
