/** A key of the config as a `Signer`: its secret is a file here, or lies in a token that OpenSSL reaches by PKCS #11. */
import { createPublicKey, sign } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import { requireTools } from "../base/host-tools.ts";
import { inheritedEnvironment, run } from "../base/process.ts";
import type { Signer } from "../formats/pkcs7.ts";
import type { Certificate } from "../formats/x509.ts";
import { keyFiles, loadCertificate, loadSecretKey } from "./key-files.ts";
import type { KeyConfig } from "./schema.ts";

/** Throws PATH_MISSING, FORMAT_INVALID, ACCESS_DENIED, SIGNATURE_INVALID when key and certificate do not belong together, HOST_TOOL_MISSING. */
export function loadSigner(key: KeyConfig, projectDir: string): Signer {
  const label = keyFiles(key.file).certificate;
  const certificate = loadCertificate(label, projectDir);
  if (key.pkcs11 !== undefined) return tokenSigner(key.pkcs11, certificate);
  const secret = loadSecretKey(key, projectDir);
  if (!createPublicKey(secret).equals(certificate.publicKey))
    throw new BootwrightError("SIGNATURE_INVALID", `${label} is not the certificate of ${keyFiles(key.file).secret}`, {
      hint: "put the certificate beside its key again",
    });
  return { certificate, sign: async (bytes) => sign("sha256", bytes, secret) };
}

/** OpenSSL's engine of libp11 asks the token for its PIN as the URI says (`pin-source=file:…`). */
function tokenSigner(uri: string, certificate: Certificate): Signer {
  // Whoever lists the processes of this machine would read it.
  if (/[?&]pin-value=/.test(uri))
    throw new BootwrightError("CONFIG_INVALID", "the PKCS #11 URI holds a PIN", {
      hint: "write the PIN into a file of your own and name it: pin-source=file:/run/pin",
    });
  requireTools(["openssl", "libp11"]);
  return {
    certificate,
    async sign(bytes) {
      const { stdout } = await run(
        ["openssl", "dgst", "-engine", "pkcs11", "-keyform", "engine", "-sha256", "-sign", uri, "-binary"],
        // A token's library finds its own settings there: PKCS11_MODULE_PATH, SOFTHSM2_CONF …
        { stdin: bytes, timeout: 120_000, env: inheritedEnvironment() },
      );
      return stdout;
    },
  };
}
