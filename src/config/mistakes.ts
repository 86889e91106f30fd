/** What is wrong in a file that a person wrote, each mistake with its place: the config, and policies of `verify`. */
import path from "node:path";
import { BootwrightError, type ErrorIssue } from "../base/errors.ts";
import type { ConfigIssue } from "./issue.ts";
import { type Locator, locateIssue } from "./place.ts";

export interface WrittenFile {
  readonly file: string;
  readonly source: string;
  readonly locator: () => Promise<Locator>;
}

/** One mistake with its place, or all of them in the order of the file. */
export async function mistakesError(read: WrittenFile, found: readonly ConfigIssue[]): Promise<BootwrightError> {
  const { issueText } = await import("./zod-issues.ts");
  const locator = await read.locator();
  const input = { file: read.file, source: read.source, locator };
  const issues = found
    .map((issue): ErrorIssue => {
      return { message: issueText(issue, issue.path), location: locateIssue(issue, issue.path, input) };
    })
    .sort(inFileOrder);
  const code = found.every((issue) => issue.missingEnvironment) ? "ENV_MISSING" : "CONFIG_INVALID";
  const [only] = issues;
  if (issues.length === 1 && only !== undefined)
    return new BootwrightError(code, only.message, only.location === undefined ? {} : { location: only.location });
  return new BootwrightError(code, `${issues.length} mistakes in ${path.basename(read.file)}`, { issues });
}

const inFileOrder = ({ location: a }: ErrorIssue, { location: b }: ErrorIssue): number =>
  (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0);
