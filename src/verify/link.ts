/** One step of the way from an environment back to sources: what was looked at, and whether it holds. */
import type { Violation } from "./policy.ts";

export type LinkName =
  | "record"
  | "git"
  | "pointer"
  | "approvals"
  | "release"
  | "bytes"
  | "signature"
  | "provenance"
  | "bill";

/** What is wrong with a link, stable for programs: of the record how it was changed, of an artifact the policy's rule. */
export type LinkCode =
  | "gap"
  | "truncated"
  | "edited"
  | "fork"
  | "impossible"
  | "nothing-runs"
  | "approvals"
  | "release"
  | "bytes"
  | "bill"
  | Violation["rule"];

export interface Link {
  readonly link: LinkName;
  readonly where: string;
  readonly state: "holds" | "broken" | "unchecked";
  /** Of what is broken. */
  readonly code: LinkCode | null;
  /** What was found, or what is wrong. */
  readonly says: string;
}

type About = Pick<Link, "link" | "where">;

export const holds = (about: About, says: string): Link => ({ ...about, state: "holds", code: null, says });
export const broken = (about: About, code: LinkCode, says: string): Link => ({ ...about, state: "broken", code, says });
/** Not looked at, with the reason: no failure by itself. */
export const unchecked = (about: About, says: string): Link => ({ ...about, state: "unchecked", code: null, says });
