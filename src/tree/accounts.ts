/** passwd(5), group(5) and shadow(5) with a project's users: lines that are there are kept, a user of the same name is replaced. */

export interface Account {
  readonly name: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly shell: string;
  readonly home?: string | undefined;
  /** "none": no password needed; "locked": no password fits; else a crypt(5) hash. */
  readonly password: string;
}

export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
  readonly shadow: string;
}

export interface NumberedAccount extends Account {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

const FIRST_UID = 1000;

/** Gives numbers in the order of the config, after those that are taken. */
export function numberAccounts(
  accounts: readonly Account[],
  existing: Pick<AccountFiles, "passwd">,
): NumberedAccount[] {
  const taken = new Map(lines(existing.passwd).map((line) => [line.split(":")[0]!, Number(line.split(":")[2])]));
  const used = new Set([
    ...taken.values(),
    ...accounts.flatMap((account) => (account.uid === undefined ? [] : [account.uid])),
  ]);
  let next = FIRST_UID;
  return accounts.map((account) => {
    let uid = account.uid ?? (account.name === "root" ? 0 : taken.get(account.name));
    if (uid === undefined) {
      while (used.has(next)) next++;
      uid = next;
      used.add(uid);
    }
    return {
      ...account,
      uid,
      gid: account.gid ?? uid,
      home: account.home ?? (uid === 0 ? "/root" : `/home/${account.name}`),
    };
  });
}

export function mergeAccounts(accounts: readonly NumberedAccount[], existing: AccountFiles): AccountFiles {
  return {
    passwd: replaceLines(
      existing.passwd,
      accounts,
      (a) => `${a.name}:x:${a.uid}:${a.gid}:${a.uid === 0 ? "root" : ""}:${a.home}:${a.shell}`,
    ),
    group: replaceLines(existing.group, accounts, (a) => `${a.name}:x:${a.gid}:`),
    // The days since the epoch of the last change: 1, so that the file does not depend on the day (0 would demand a new password).
    shadow: replaceLines(
      existing.shadow,
      accounts,
      (a) => `${a.name}:${a.password === "none" ? "" : a.password === "locked" ? "!" : a.password}:1::::::`,
    ),
  };
}

function replaceLines(
  text: string,
  accounts: readonly NumberedAccount[],
  format: (account: NumberedAccount) => string,
): string {
  const left = new Map(accounts.map((account) => [account.name, account]));
  const kept = lines(text).map((line) => {
    const account = left.get(line.split(":")[0]!);
    if (account === undefined) return line;
    left.delete(account.name);
    return format(account);
  });
  return `${[...kept, ...[...left.values()].map(format)].join("\n")}\n`;
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
