/** What must hold of an image: plain data, made from a policy file or from a project's own keys. */
import type { MinisignKey } from "../formats/minisign.ts";
import type { Certificate } from "../formats/x509.ts";

export interface NamedCertificate {
  /** For people: the name of a project's key, or the file. */
  readonly name: string;
  readonly certificate: Certificate;
}

export interface Policy {
  /** Each EFI program must be signed by one of these. */
  readonly trust: readonly NamedCertificate[];
  /** Each EFI program must be signed by all of these. */
  readonly signers: readonly NamedCertificate[];
  /** No EFI program may have one of these Authenticode digests (hex) or be signed by one of these certificates. */
  readonly revokedDigests: readonly string[];
  readonly revoked: readonly NamedCertificate[];
  /** Oldest version (VERSION_ID of os-release) and kernel release of a UKI, in Debian's order. */
  readonly minimum: { readonly version?: string | undefined; readonly kernel?: string | undefined };
  readonly require: {
    /** Each EFI program must be signed. */
    readonly signatures: boolean;
    /** Both partition tables must be whole and say the same. */
    readonly partitionTable: boolean;
    /** "demanded": what a UKI opens by a root hash must be that; "always": each UKI must open its root so; "none": not read. */
    readonly verity: "none" | "demanded" | "always";
    /** Nothing that is not part of a signed program may be booted: no kernel, initramfs or loader entry beside it. */
    readonly onlySigned: boolean;
  };
}

/** What must hold of what runs in an environment. */
export interface EnvironmentPolicy {
  /** One of these must have signed each entry of the record; `until`: the last that a key counts for. */
  readonly keys: readonly { readonly key: MinisignKey; readonly until: number | undefined }[];
  /** How many approvers must have approved it before it was promoted. */
  readonly approvals: number;
  readonly approvers: Readonly<Record<string, MinisignKey>>;
  /** Each artifact is made from its repository's commit. */
  readonly commit: boolean;
  /** Each source has a digest. */
  readonly pinned: boolean;
  /** Each artifact has a bill of materials. */
  readonly bill: boolean;
}

export type Rule =
  | "format"
  | "program"
  | "signature"
  | "signer"
  | "revoked"
  | "version"
  | "kernel"
  | "verity"
  | "tpm-policy"
  | "partition-table"
  | "only-signed"
  | "provenance"
  | "builder"
  | "config"
  | "source"
  | "unpinned"
  | "commit"
  | "artifact-signature";

export interface Violation {
  readonly rule: Rule;
  /** "esp:/EFI/BOOT/BOOTX64.EFI", "partition host". */
  readonly where: string;
  /** What is wrong. */
  readonly message: string;
  readonly expected: string;
}
