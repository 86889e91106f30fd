/** All Markdown files of the repository, by `findBrokenLinks`. */
import { run } from "../src/base/process.ts";
import { findBrokenLinks } from "./links.ts";
import { ROOT, say } from "./terminal.ts";

const listing = await run(["git", "ls-files", "-co", "--exclude-standard", "--deduplicate", "*.md"], { cwd: ROOT });
const files = listing.stdout.toString().split("\n").filter(Boolean);
const broken = findBrokenLinks(ROOT, files);
for (const { file, line, link, why } of broken) say(`${file}:${line}: ${link}: ${why}`);
process.exitCode = broken.length > 0 ? 1 : 0;
