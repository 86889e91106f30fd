/** How a config names a catalog's place: an address, or a directory relative to the config. */
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundlePath } from "./catalog-index.ts";

/** The directory, when the catalog is one that can be reached as files. */
export function catalogDirectory(url: string, projectDir: string): string | undefined {
  if (/^(https?|s3|oci):\/\//.test(url)) return undefined;
  return url.startsWith("file://") ? fileURLToPath(url) : path.resolve(projectDir, url);
}

/** "HOST/NAME" of a catalog in a registry. */
export const catalogRepository = (url: string): string | undefined => /^oci:\/\/(.+?)\/*$/.exec(url)?.[1];

/** Where a bundle's bytes are: http(s), s3 or file; of a registry its repository, which has them by their digest. */
export function bundleUrl(url: string, { projectDir, sha256 }: { projectDir: string; sha256: string }): string {
  if (catalogRepository(url) !== undefined) return url;
  const dir = catalogDirectory(url, projectDir);
  return dir === undefined
    ? `${url.replace(/\/+$/, "")}/${bundlePath(sha256)}`
    : pathToFileURL(path.join(dir, bundlePath(sha256))).href;
}
