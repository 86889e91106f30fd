/** A page of what is published: a plain table. A little script adds search and buttons that copy; nothing is loaded from elsewhere. */
import { formatSize } from "../base/size.ts";
import type { PublishedFile, PublishedState } from "./state.ts";

export function htmlView(state: PublishedState): string {
  const moving = Object.entries(state.moving);
  const namesOf = (file: PublishedFile) => moving.flatMap(([name, to]) => (to === file.name ? [name] : []));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Published files</title>
<style>${STYLE}</style>
<h1>Published files</h1>
<p>${state.files.length} ${state.files.length === 1 ? "file" : "files"}, newest first; updated ${escapeHtml(state.updated)}.</p>
<p><label hidden>Search <input type="search"></label></p>
<table>
<thead><tr><th>File<th>Version<th>Architecture<th>Kernel<th>Size<th>Published<th>SHA-256</thead>
<tbody>
${state.files.map((file) => row(file, namesOf(file))).join("\n")}
</tbody>
</table>
<p>To check files that you fetched: <code>sha256sum -c --ignore-missing SHA256SUMS</code></p>
<script>${SCRIPT}</script>
</html>
`;
}

const row = (file: PublishedFile, moving: readonly string[]): string =>
  `<tr><td>${[file.name, ...moving].map((name) => `<a href="${escapeHtml(encodeURIComponent(name))}">${escapeHtml(name)}</a>`).join(" ")}` +
  [file.version, file.arch, file.kernel, formatSize(file.size), file.published]
    .map((text) => `<td>${escapeHtml(text)}`)
    .join("") +
  `<td><code>${file.sha256}</code></tr>`;

export const escapeHtml = (text: string): string =>
  text.replaceAll(
    /[&<>"']/g,
    (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c] as string,
  );

const STYLE =
  "body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.3em .8em;text-align:left;border-bottom:1px solid #ccc}code{font-size:.8em;word-break:break-all}";

const SCRIPT = `
const label = document.querySelector("label");
const rows = [...document.querySelectorAll("tbody tr")];
label.hidden = false;
label.querySelector("input").addEventListener("input", ({ target }) => {
  for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(target.value.toLowerCase());
});
for (const row of rows) {
  const button = document.createElement("button");
  button.textContent = "Copy command";
  button.addEventListener("click", () => navigator.clipboard.writeText("curl -fLO " + row.querySelector("a").href));
  row.cells[0].append(" ", button);
}
`;
