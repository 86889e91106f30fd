/** A catalog on a web server, to read. */

import { download } from "../base/download.ts";
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { HttpStatusError } from "../base/http.ts";
import type { ReadablePlace } from "../base/place.ts";

/** `url` without a slash at its end. */
export function webSource(url: string, { emit }: { emit: Emit }): ReadablePlace {
  return {
    address: url,
    async read(path, { maxSize, signal }) {
      const chunks: Uint8Array[] = [];
      try {
        for await (const chunk of download(`${url}/${path}`, { emit, signal, maxSize })) chunks.push(chunk);
      } catch (error) {
        if (error instanceof HttpStatusError && (error.status === 404 || error.status === 410)) return undefined;
        if (hasCode(error, "DIGEST_MISMATCH"))
          throw new BootwrightError("LIMIT_EXCEEDED", `${url}/${path} is longer than ${maxSize} bytes`, {
            cause: error,
          });
        throw error;
      }
      return Buffer.concat(chunks);
    },
  };
}
