/** `WWW-Authenticate`: what a server wants before it answers (RFC 9110, 11.6.1; the words of Bearer are of the Docker token protocol). */

export interface Challenge {
  /** In lower case: "bearer", "basic". */
  readonly scheme: string;
  /** By name in lower case. */
  readonly words: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const WORD = new RegExp(`^(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]+))`);
const SCHEME = new RegExp(`^(${TOKEN})(?=[\\s,]|$)\\s*`);

/** What cannot be read is left out: a server's odd header must not stop one that can be answered. */
export function parseChallenges(header: string | readonly string[] | undefined): readonly Challenge[] {
  const found: { scheme: string; words: Map<string, string> }[] = [];
  for (const line of [header ?? []].flat()) {
    let rest = line.trim();
    while (rest !== "") {
      const word = WORD.exec(rest);
      if (word !== null) {
        const value = word[2] === undefined ? word[3]! : word[2].replace(/\\(.)/g, "$1");
        found.at(-1)?.words.set(word[1]!.toLowerCase(), value);
        rest = rest.slice(word[0].length);
      } else {
        const scheme = SCHEME.exec(rest);
        if (scheme === null) break;
        found.push({ scheme: scheme[1]!.toLowerCase(), words: new Map() });
        rest = rest.slice(scheme[0].length);
      }
      rest = rest.replace(/^[\s,]+/, "");
    }
  }
  return found;
}
