/**
 * The stage that makes an add-on: a PE file with a command line, which systemd's stub finds beside its UKI, has the firmware
 * verify like any program, and puts behind the UKI's own (systemd-stub(7), "Companion Files"; UAPI.5 "PE Addons"). So a
 * command line differs between machines while the UKI, with its signature, stays. See docs/decisions/0022-add-ons.md.
 */
import { BootwrightError } from "../base/errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { type AppendedPe, appendPeSections } from "../formats/pe-writer.ts";
import { ADDONS_SINCE, readSystemdMark } from "../formats/systemd-mark.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { openBlobSource } from "../store/blob-source.ts";
import { mergeSbat, SBAT_ADDON } from "./sbat.ts";

export interface AddonOptions {
  readonly name: string;
  /** systemd's `addonx64.efi.stub`. */
  readonly empty: BlobInput;
  /** That of the UKI, whose release must be one that reads add-ons. */
  readonly stub: BlobInput;
  readonly cmdline: string;
}

type AddonInputs = { empty: BlobInput; stub: BlobInput };

/** Throws UNSUPPORTED for a stub that would not look for it. */
export function addonStage({ name, empty, stub, cmdline }: AddonOptions): Stage<AddonInputs, { image: BlobArtifact }> {
  return defineStage<AddonInputs, { image: BlobArtifact }>({
    name,
    kind: "addon",
    version: 1,
    inputs: { empty, stub },
    params: { cmdline },
    outputs: ["image"],
    run: async ({ inputs, store }) => {
      using stubSource = openBlobSource(store.blobs, inputs.stub);
      requireAddons(stubSource, name);
      using source = openBlobSource(store.blobs, inputs.empty);
      return { image: blobArtifact(store.blobs.putSync(assembleAddon(source, cmdline).chunks())) };
    },
  });
}

export function assembleAddon(empty: ByteSource, cmdline: string): AppendedPe {
  const sections = Object.entries({ ".cmdline": cmdline, ".sbat": mergeSbat([empty], SBAT_ADDON) });
  return appendPeSections(empty, {
    sections: sections.map(([name, text]) => {
      const bytes = Buffer.from(text);
      return { name, size: bytes.length, read: () => [bytes] };
    }),
    drop: [".sbat"],
  });
}

/** Throws UNSUPPORTED for a stub that would not look for add-ons; `name` is the add-on's. */
export function requireAddons(stub: ByteSource, name: string): void {
  const version = readSystemdMark(stub, "stub");
  if (version !== undefined && version >= ADDONS_SINCE) return;
  const found = version === undefined ? "is not systemd's" : `is of systemd ${version}`;
  throw new BootwrightError("UNSUPPORTED", `${name}: the UKI's stub ${found}, and would ignore it`, {
    hint: `add-ons are read since systemd ${ADDONS_SINCE}: at the UKI, stub: { suite: "trixie" }`,
  });
}
