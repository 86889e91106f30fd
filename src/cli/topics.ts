/** The guides of `docs/guides`: the same Markdown in the terminal as on the site. */
import fs from "node:fs";
import path from "node:path";
import { ownFile } from "../base/own-package.ts";

const GUIDES = ownFile("docs/guides");

export function topicNames(): readonly string[] {
  if (!fs.existsSync(GUIDES)) return [];
  return fs
    .readdirSync(GUIDES)
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.slice(0, -3))
    .sort();
}

export const readTopic = (name: string): string | undefined =>
  topicNames().includes(name) ? fs.readFileSync(path.join(GUIDES, `${name}.md`), "utf8") : undefined;
