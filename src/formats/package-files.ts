/** Which package brought a file, as the database of packages inside a tree tells: dpkg's file lists, apk's installed database. */
import { baseName, type FileTree, type TreeEntry } from "./filetree.ts";

/** Package by path. `read` gives a file's text. */
export function packageOfFiles(
  tree: FileTree,
  read: (entry: TreeEntry & { type: "file" }) => string,
): Map<string, string> {
  const owners = new Map<string, string>();
  const known = new Set(tree.map(({ path }) => path));
  const own = (path: string, name: string): void => {
    // Packages may still ship /bin and /lib, which have moved below /usr.
    const at = known.has(path) ? path : `usr/${path}`;
    if (known.has(at)) owners.set(at, name);
  };
  for (const entry of tree) {
    if (entry.type !== "file") continue;
    const list = /^var\/lib\/dpkg\/info\/([^/]+)\.list$/.exec(entry.path)?.[1];
    if (list !== undefined)
      for (const line of read(entry).split("\n")) own(line.replace(/^\//, ""), list.replace(/:.*$/, ""));
    else if (entry.path === "lib/apk/db/installed" || entry.path === "usr/lib/apk/db/installed")
      for (const { path, name } of apkFiles(read(entry))) own(path, name);
  }
  for (const { path } of tree)
    if (/^var\/lib\/dpkg\/info\//.test(path)) owners.set(path, baseName(path).replace(/(:[^.]*)?\.[^.]*$/, ""));
  return owners;
}

/** P: a package, F: a directory, R: a file in it. */
function* apkFiles(text: string): Generator<{ path: string; name: string }> {
  let name = "";
  let directory = "";
  for (const line of text.split("\n")) {
    const value = line.slice(2);
    if (line.startsWith("P:")) name = value;
    else if (line.startsWith("F:")) directory = value;
    else if (line.startsWith("R:")) yield { path: directory === "" ? value : `${directory}/${value}`, name };
  }
}
