/**
 * Which modules drive which devices: the patterns that modules declare (`alias` of .modinfo, "pci:v00008086d*") against what
 * a bus says of a device (`modalias` files below /sys/devices). kmod matches them with fnmatch(3).
 */

/** Pattern → modules, as modules.alias has them. */
export type DeviceAliases = Readonly<Record<string, readonly string[]>>;

/** Bus aliases have a colon, or a wildcard; plain names are other names of a module. */
export const isDeviceAlias = (alias: string): boolean => /[:*]/.test(alias);

/** Modules for these devices, sorted; devices that nothing drives, such as those of built-in drivers, are passed over. */
export function modulesForDevices(aliases: DeviceAliases, modaliases: readonly string[]): string[] {
  const byBus = Map.groupBy(Object.keys(aliases), busOf);
  const found = new Set<string>();
  for (const modalias of new Set(modaliases)) {
    for (const pattern of byBus.get(busOf(modalias)) ?? [])
      if (matches(modalias, pattern)) for (const module of aliases[pattern]!) found.add(module);
  }
  return [...found].sort();
}

/** The text of a device list: one modalias a line, comments with #. */
export const parseDeviceList = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/(^|\s)#.*/, "").trim())
    .filter((line) => line !== "");

/** modules.alias, for modprobe in the guest. */
export const aliasFile = (aliases: DeviceAliases): string =>
  Object.entries(aliases)
    .flatMap(([pattern, modules]) => modules.map((module) => `alias ${pattern} ${module}\n`))
    .sort()
    .join("");

const busOf = (alias: string): string => /^[a-z0-9_-]*/i.exec(alias)![0];

function matches(modalias: string, pattern: string): boolean {
  const wildcard = pattern.search(/[*?[]/);
  if (wildcard < 0) return modalias === pattern;
  if (!modalias.startsWith(pattern.slice(0, wildcard))) return false;
  return new RegExp(`^${toRegExp(pattern.slice(wildcard))}$`).test(modalias.slice(wildcard));
}

const toRegExp = (pattern: string): string =>
  pattern.replaceAll(/\[[^\]]*\]|[*?]|[\\^$.|+(){}[\]]/g, (part) =>
    part === "*" ? ".*" : part === "?" ? "." : part.length > 1 ? part.replace("[!", "[^") : `\\${part}`,
  );
