/** The signed index of a Debian archive's suite: InRelease, verified with gpgv against the archive's keyrings. */
import fs from "node:fs";
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { download } from "../base/download.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { ensureDir, removeTree } from "../base/fs.ts";
import { run } from "../base/process.ts";
import { type IndexFile, parseStanza, releaseFiles, type Stanza } from "../formats/deb822.ts";
import type { AptSource } from "./apt-config.ts";

export interface Release {
  readonly fields: Stanza;
  readonly files: ReadonlyMap<string, IndexFile>;
}

/** Release files are some hundred kB; what is longer is no Release file. */
const MAX_RELEASE = 16 * 1024 * 1024;

/** Throws SIGNATURE_INVALID (bad, unknown, expired, or of another suite), HOST_TOOL_MISSING (gpgv), NETWORK. `scratch` is a path that is made for this and removed. */
export async function fetchRelease(
  source: AptSource,
  options: { scratch: string; emit: Emit; signal: AbortSignal },
): Promise<Release> {
  const url = `${source.uri}/dists/${source.suite}/InRelease`;
  const chunks: Uint8Array[] = [];
  for await (const chunk of download(url, { ...options, maxSize: MAX_RELEASE })) chunks.push(chunk);
  const text = await verifyInRelease(Buffer.concat(chunks), { ...options, keyrings: source.keyrings, what: url });
  const fields = parseStanza(text, url);
  requireSuite(fields, { suite: source.suite, url });
  const validUntil = Date.parse(fields.get("valid-until") ?? "");
  if (validUntil < systemClock.now())
    throw new BootwrightError("SIGNATURE_INVALID", `${url} expired on ${fields.get("valid-until")}`, {
      hint: "the mirror is stale, or this host's clock is wrong (bootwright doctor)",
    });
  return { fields, files: releaseFiles(fields, url) };
}

/**
 * A mirror may answer with another suite of the same archive, signed by the same key: an old release for a new one. The name
 * that was asked for is the signed suite ("stable", "noble-security") or codename ("bookworm", "bookworm-updates"); of
 * "buster/updates", the first part. Ubuntu's pockets all carry the codename of their release, so theirs alone says nothing.
 */
function requireSuite(fields: Stanza, { suite, url }: { suite: string; url: string }): void {
  const [signedSuite = "", codename = ""] = [fields.get("suite"), fields.get("codename")];
  const asked = suite.replace(/\/updates$/, "");
  if (asked === signedSuite || (asked === codename && !signedSuite.startsWith(`${codename}-`))) return;
  const signed = [signedSuite && `Suite ${signedSuite}`, codename && `Codename ${codename}`].filter(Boolean).join(", ");
  throw new BootwrightError(
    "SIGNATURE_INVALID",
    `${url}: asked for ${suite}, but what is signed is ${signed || "of no named suite"}`,
    { hint: "the mirror serves another suite under this name; check sources.debian" },
  );
}

/** The signed text. What stands outside the signature is never read. */
export async function verifyInRelease(
  bytes: Uint8Array,
  options: { keyrings: readonly string[]; scratch: string; what: string; signal: AbortSignal },
): Promise<string> {
  const keyrings = options.keyrings.filter((file) => fs.existsSync(file));
  if (keyrings.length === 0)
    throw new BootwrightError("HOST_TOOL_MISSING", `no archive keyring: ${options.keyrings.join(", ")}`, {
      hint: "bootwright doctor --fix (package debian-archive-keyring)",
    });
  const dir = options.scratch;
  ensureDir(dir);
  const [input, output] = [path.join(dir, "InRelease"), path.join(dir, "Release")];
  try {
    fs.writeFileSync(input, bytes);
    const arguments_ = [
      "--status-fd",
      "1",
      ...keyrings.flatMap((file) => ["--keyring", file]),
      "--output",
      output,
      input,
    ];
    // It also ends with 2 when one signature of several is by a key that we do not know; see isTrusted.
    const result = await run(["gpgv", ...arguments_], { signal: options.signal, timeout: 60_000, accept: [0, 1, 2] });
    if (isOneSignedMessage(bytes) && isTrusted(result.stdout.toString())) return fs.readFileSync(output, "utf8");
    throw new BootwrightError("SIGNATURE_INVALID", `${options.what}: the signature does not verify`, {
      detail: result.stderr.trimEnd(),
    });
  } finally {
    removeTree(dir);
  }
}

/** From the first byte to the last, as apt demands: text before, behind or between would have no meaning that all readers share. */
function isOneSignedMessage(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString("latin1").trimEnd();
  const marks = text.match(/^-----[^\r\n]*/gm) ?? [];
  const [first, , last] = MARKS;
  return marks.join() === MARKS.join() && text.startsWith(first) && text.endsWith(last);
}

/** Lines of the text itself that start with a dash are escaped (RFC 9580, 7.2). */
const MARKS = [
  "-----BEGIN PGP SIGNED MESSAGE-----",
  "-----BEGIN PGP SIGNATURE-----",
  "-----END PGP SIGNATURE-----",
] as const;

/**
 * One good signature by a key of ours is enough, and a bad one too much (gnupg's doc/DETAILS, as apt reads it). Archives
 * sign with the next release's key, too, which an older host's keyring lacks.
 */
function isTrusted(status: string): boolean {
  const words = status.split("\n").map((line) => /^\[GNUPG:\] (\w+)/.exec(line)?.[1]);
  return words.includes("GOODSIG") && words.includes("VALIDSIG") && !words.includes("BADSIG");
}
