/** GitHub's workflows as data, and their text. The order of what is written is the order of the data. */
import { Document, type Node, visit } from "yaml";
import { ACTIONS } from "./actions.ts";

export interface Workflow {
  readonly name: string;
  readonly on: Readonly<Record<string, unknown>>;
  /** Nothing is allowed that a job does not ask for. */
  readonly permissions: Readonly<Record<string, never>>;
  readonly concurrency: { readonly group: string; readonly "cancel-in-progress": boolean };
  readonly defaults: { readonly run: { readonly shell: "bash"; readonly "working-directory"?: string } };
  readonly jobs: Readonly<Record<string, Job>>;
}

export interface Job {
  readonly name: string;
  readonly needs?: string;
  readonly "runs-on": string | readonly string[];
  readonly container?: { readonly image: string; readonly options: string };
  readonly "timeout-minutes": number;
  readonly environment?: string;
  readonly permissions: Readonly<Record<string, "read" | "write">>;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly strategy?: {
    readonly "fail-fast": boolean;
    readonly matrix: Readonly<Record<string, string>>;
  };
  readonly steps: readonly Step[];
}

export type Step = {
  readonly name?: string;
  readonly id?: string;
  readonly if?: string;
  readonly env?: Readonly<Record<string, string>>;
} & (
  | { readonly uses: string; readonly with?: Readonly<Record<string, string | number | boolean>> }
  | { readonly run: string }
);

/** `header`: lines of a comment at the top. */
export function formatWorkflow(workflow: Workflow, header: readonly string[]): string {
  const document = new Document(workflow, { aliasDuplicateObjects: false });
  document.commentBefore = header.map((line) => ` ${line}`).join("\n");
  const versions = new Map<unknown, string>(Object.values(ACTIONS).map(({ uses, version }) => [uses, version]));
  visit(document, {
    Scalar(_, scalar) {
      const version = versions.get(scalar.value);
      if (version !== undefined) scalar.comment = ` ${version}`;
    },
    Pair(_, pair) {
      // Parts of a file stand apart, and so do jobs.
      const key = pair.key as Node & { value?: unknown; spaceBefore?: boolean };
      if (["on", "permissions", "concurrency", "defaults", "jobs"].includes(String(key.value)) && isTop(document, pair))
        key.spaceBefore = true;
    },
  });
  return document.toString({ lineWidth: 0 });
}

const isTop = (document: Document, pair: unknown): boolean =>
  (document.contents as unknown as { items: readonly unknown[] }).items.includes(pair);
