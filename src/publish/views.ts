/** The lists beside published files, each made from the state alone. */
import { htmlView } from "./html-view.ts";
import type { PublishedFile, PublishedState } from "./state.ts";

const VIEW_WRITERS: Readonly<Record<string, (state: PublishedState) => string>> = {
  // As sha256sum -c reads it.
  SHA256SUMS: ({ files }) => files.map(({ sha256, name }) => `${sha256}  ${name}\n`).join(""),
  "kernels.txt": (state) =>
    kernelsOf(state)
      .map(({ name }) => `${name}\n`)
      .join(""),
  "kernels.json": (state) => {
    const kernels = kernelsOf(state).map(({ name, version, arch, kernel, size, sha256, published }) => ({
      ...{ name, version, arch, kernel, size, sha256, published },
    }));
    return `${JSON.stringify({ kernels, updated: state.updated, count: kernels.length }, null, 1)}\n`;
  },
  "index.html": htmlView,
};

export interface View {
  readonly name: string;
  readonly bytes: Buffer;
}

export const writeViews = (state: PublishedState): readonly View[] =>
  state.views.flatMap((name) => {
    const write = VIEW_WRITERS[name];
    return write === undefined ? [] : [{ name, bytes: Buffer.from(write(state)) }];
  });

const kernelsOf = ({ files }: PublishedState): readonly PublishedFile[] => files.filter(({ kernel }) => kernel !== "");
