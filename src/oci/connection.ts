/** What stops a connection before there is an answer, in words: no such host, no TLS, a certificate that nobody vouches for. */
import { BootwrightError, isBootwrightError, messageOf, systemCode } from "../base/errors.ts";

const UNTRUSTED = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
]);

/** An error with a code for what no further try would change; undefined for what one might. */
export function lastingFailure(error: unknown, host: string): BootwrightError | undefined {
  if (isBootwrightError(error)) return undefined;
  const code = systemCode(error) ?? "";
  const failed = (why: string, hint: string) =>
    new BootwrightError("NETWORK", `${host}: ${why}`, { hint, cause: error });
  if (code === "ENOTFOUND") return failed("there is no host of this name", "check the registry's name");
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG" || code === "EPROTO")
    return failed(
      "this registry does not speak TLS",
      "check the port; if it is meant to be open to everybody on the way: --plain-http, or plainHttp in sources.registries",
    );
  if (UNTRUSTED.has(code))
    return failed(
      "its certificate is signed by nobody whom this host trusts",
      "name the authority's certificate: --ca FILE, or ca in sources.registries",
    );
  if (code.startsWith("CERT_") || code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return failed(messageOf(error), "its certificate does not hold; nothing was sent");
  return undefined;
}
