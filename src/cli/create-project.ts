/** Writes a template's files, all or none. */
import fs from "node:fs";
import path from "node:path";
import type { Report } from "../api/session.ts";
import { BootwrightError, ioError, systemCode } from "../base/errors.ts";
import { ensureDir } from "../base/fs.ts";
import { CONFIG_NAMES } from "../config/find.ts";
import { type TemplateName, templateFiles } from "./templates.ts";

export interface CreateProjectOptions {
  readonly cwd: string;
  readonly dir: string;
  readonly template: TemplateName;
}

/** Throws EXISTS before the first file is written. */
export function createProject({ cwd, dir, template }: CreateProjectOptions): Report {
  const target = path.resolve(cwd, dir);
  const files = templateFiles(template, projectName(target));
  const inTheWay = [...Object.keys(files), ...CONFIG_NAMES].filter((name) => fs.existsSync(path.join(target, name)));
  if (inTheWay.length > 0)
    throw new BootwrightError("EXISTS", `${[...new Set(inTheWay)].join(", ")} in ${target} would be in the way`, {
      hint: "bootwright init ANOTHER-DIRECTORY",
    });
  for (const [name, { text, mode }] of Object.entries(files)) writeNew(path.join(target, name), { text, mode });
  const here = path.relative(cwd, target);
  const enter = here === "" ? "" : `  cd ${here}\n`;
  const list = Object.keys(files).map((name) => `  ${path.join(here, name)}`);
  return {
    data: { dir: target, files: Object.keys(files) },
    text: `made\n${list.join("\n")}\n\nnext\n${enter}  bootwright build\n  bootwright boot\n`,
    quiet: target,
  };
}

function writeNew(file: string, { text, mode }: { text: string; mode: number }): void {
  ensureDir(path.dirname(file));
  try {
    fs.writeFileSync(file, text, { mode, flag: "wx" });
  } catch (error) {
    if (systemCode(error) === "EEXIST")
      throw new BootwrightError("EXISTS", `${file} is already there`, { cause: error });
    throw ioError("write", file, error);
  }
}

/** The directory's name, made to fit. */
function projectName(target: string): string {
  const name = path
    .basename(target)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "");
  return name === "" ? "my-os" : name;
}
