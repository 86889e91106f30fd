/**
 * passwd(5), group(5), shadow(5) and gshadow(5) with a project's users and groups. Lines that are there are kept; of an
 * account that is there, only what the project says is changed.
 */
import { BootwrightError } from "../base/errors.ts";
import { didYouMean } from "../base/suggest.ts";

export interface Account {
  readonly name: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly shell?: string | undefined;
  readonly home?: string | undefined;
  /** "none": no password needed; "locked": no password fits; else a crypt(5) hash. */
  readonly password?: string | undefined;
  /** Further groups. */
  readonly groups?: readonly string[] | undefined;
  /** Logs in by other means: the account is not to look locked as a whole. */
  readonly keys?: boolean;
}

export interface Group {
  readonly name: string;
  readonly gid?: number | undefined;
}

export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
  readonly shadow: string;
  /** Not every tree has one; where there is none, none is made. */
  readonly gshadow?: string | undefined;
}

export interface NumberedAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

const FIRST_ID = 1000;

/** Numbers are given in the order of the config, after those that are taken. Throws NAME_UNKNOWN for a group that is not there. */
export function mergeAccounts(
  { users, groups = [] }: { users: readonly Account[]; groups?: readonly Group[] },
  existing: AccountFiles,
): { accounts: readonly NumberedAccount[]; files: AccountFiles } {
  const passwd = new Table(existing.passwd);
  const group = new Table(existing.group);
  const shadow = new Table(existing.shadow);
  const gshadow = existing.gshadow === undefined ? undefined : new Table(existing.gshadow);
  const gids = new Numbers(
    group,
    [...groups, ...users].map(({ gid }) => gid),
  );
  const uids = new Numbers(
    passwd,
    users.map(({ uid }) => uid),
  );
  const addGroup = (name: string, gid: number): void => {
    group.set(name, [name, "x", String(gid), group.get(name)?.[3] ?? ""]);
    if (gshadow !== undefined && gshadow.get(name) === undefined) gshadow.set(name, [name, "!", "", ""]);
  };

  for (const { name, gid } of groups) addGroup(name, gid ?? numberOf(group.get(name)) ?? gids.next());
  const accounts = users.map((user): NumberedAccount => {
    const { name } = user;
    const old = passwd.get(name);
    const uid = user.uid ?? numberOf(old) ?? (name === "root" ? 0 : uids.next());
    const own = numberOf(group.get(name));
    const gid = user.gid ?? (old && Number(old[3])) ?? own ?? gids.nextFrom(uid);
    if (!group.hasNumber(gid)) addGroup(name, gid);
    const home = user.home ?? old?.[5] ?? (uid === 0 ? "/root" : `/home/${name}`);
    const shell = user.shell ?? old?.[6] ?? "/bin/sh";
    passwd.set(name, [name, "x", String(uid), String(gid), old?.[4] ?? (uid === 0 ? "root" : ""), home, shell]);
    shadow.set(name, shadowLine(user, shadow.get(name)));
    return { name, uid, gid, home };
  });
  for (const { name, groups: wanted = [] } of users)
    for (const other of wanted) {
      const line = group.get(other);
      if (line === undefined)
        throw new BootwrightError(
          "NAME_UNKNOWN",
          `user ${name}: the tree has no group ${other}${didYouMean(other, group.names())}`,
          { hint: `add it: groups: { ${other}: {} }` },
        );
      group.set(other, withMember(line, name));
      const secret = gshadow?.get(other);
      if (secret !== undefined) gshadow!.set(other, withMember(secret, name));
    }
  return {
    accounts,
    files: { passwd: passwd.text(), group: group.text(), shadow: shadow.text(), gshadow: gshadow?.text() },
  };
}

/**
 * The days since the epoch of the last change: 1, so that the file does not depend on the day (0 would demand a new password).
 * Neither "*" nor "!" fits a password; but whoever has "!" is locked out as a whole by sshd without PAM.
 */
function shadowLine({ name, password, keys = false }: Account, old: readonly string[] | undefined): readonly string[] {
  if (password === undefined && old !== undefined) return old;
  const locked = keys ? "*" : "!";
  const hash = password === "none" ? "" : password === undefined || password === "locked" ? locked : password;
  return old === undefined ? [name, hash, "1", "", "", "", "", "", ""] : [name, hash, ...old.slice(2)];
}

function withMember(line: readonly string[], name: string): readonly string[] {
  const members = (line[3] ?? "").split(",").filter(Boolean);
  return [...line.slice(0, 3), [...members, ...(members.includes(name) ? [] : [name])].join(",")];
}

const numberOf = (line: readonly string[] | undefined): number | undefined =>
  line === undefined ? undefined : Number(line[2]);

/** Lines of fields between colons, by their first field, in their order. */
class Table {
  readonly #lines = new Map<string, readonly string[]>();

  constructor(text: string) {
    for (const line of text.split("\n")) {
      const fields = line.split(":");
      if (line !== "" && !this.#lines.has(fields[0]!)) this.#lines.set(fields[0]!, fields);
    }
  }

  get(name: string): readonly string[] | undefined {
    return this.#lines.get(name);
  }

  set(name: string, fields: readonly string[]): void {
    this.#lines.set(name, fields);
  }

  names(): readonly string[] {
    return [...this.#lines.keys()];
  }

  hasNumber(number: number): boolean {
    return [...this.#lines.values()].some((line) => numberOf(line) === number);
  }

  text(): string {
    return [...this.#lines.values()].map((fields) => `${fields.join(":")}\n`).join("");
  }
}

/** Free numbers. */
class Numbers {
  readonly #used: Set<number>;

  constructor(table: Table, wanted: readonly (number | undefined)[]) {
    const there = table.names().map((name) => numberOf(table.get(name))!);
    this.#used = new Set([...there, ...wanted.filter((number) => number !== undefined)]);
  }

  next(): number {
    return this.nextFrom(FIRST_ID);
  }

  nextFrom(first: number): number {
    let number = first;
    while (this.#used.has(number)) number = Math.max(number + 1, FIRST_ID);
    this.#used.add(number);
    return number;
  }
}
