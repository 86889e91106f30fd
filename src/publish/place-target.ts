/** Publishes into a directory or a bucket: files under their digest, and under names that mean them. */
import { BootwrightError } from "../base/errors.ts";
import type { PlacedFile, SweptPlace } from "../base/place.ts";
import { putBack } from "../base/sweep.ts";
import { endingOf } from "./ending.ts";
import { contentPath } from "./read.ts";
import type { PublishTarget } from "./target.ts";

export function placeTarget(place: SweptPlace): PublishTarget {
  return {
    documents: place,
    lists: true,
    digestOf: ({ sha256 }) => sha256,
    movingName: (moving, { publication, name }) => `${publication}-${moving}${endingOf(name)}`,
    namesOf: ({ name }) => [name],
    async isTaken(name, { size, sha256 }) {
      const there = await place.stat(name);
      return there !== undefined && (there.size !== size || (await there.sha256()) !== sha256);
    },
    async put({ local, size, sha256, name }) {
      const at = contentPath({ name, sha256 });
      let there: PlacedFile | undefined;
      let got: string | undefined;
      for (let attempt = 1; there === undefined && attempt <= 3; attempt++) {
        // A sweeper may set aside what was there, also while it is read.
        await place.putFile(at, { local, size });
        there = await place.stat(at);
        try {
          got = await there?.sha256();
        } catch (error) {
          if (attempt === 3 || (await place.stat(at)) !== undefined) throw error;
          there = undefined;
        }
      }
      if (there?.size === size && (got ?? sha256) === sha256) return;
      const found =
        there === undefined ? "nothing" : `${there.size} bytes${got === undefined ? "" : `, sha256:${got}`}`;
      throw new BootwrightError(
        "DIGEST_MISMATCH",
        `${place.address}/${at} holds ${found} after the upload; wanted ${size} bytes, sha256:${sha256}`,
        { hint: "remove it and publish again; if that does not help, the disk or the server cannot be relied on" },
      );
    },
    async holds(file) {
      return (await place.stat(contentPath(file)))?.size === file.size;
    },
    async link(name, file, { moves }) {
      if (!moves && (await place.stat(name))?.size === file.size) return; // It has never meant anything else.
      const content = contentPath(file);
      if ((await place.stat(content)) === undefined) await putBack(place, content);
      await place.link(name, content);
    },
    async remove(file) {
      // The bytes first: a publisher that is behind cannot bring the name back.
      const removed = await place.remove(contentPath(file));
      return (await place.remove(file.name)) && removed;
    },
  };
}
