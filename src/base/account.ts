/** Accounts in addresses: "https://user:password@host", "https://token@host". */

/**
 * An address as it may be written down: of http(s) without the account, which may be a token; of others, such as ssh, with a user's
 * name and without a password. More text may stand around it.
 */
export function withoutAccount(text: string): string {
  return text
    .replaceAll(/\b(https?:\/\/)[^/?#\s@]*(?:@[^/?#\s@]*)*@/gi, "$1")
    .replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/[^/?#\s@:]*):[^/?#\s]*@/gi, "$1@");
}
