/** A bill of materials as SPDX 2.3 (JSON). The same bill gives the same bytes. */
import { canonicalJson, type Json } from "../base/json.ts";
import { type Bill, type BillKernel, billTime, kernelUrl, leftOutText } from "./bill.ts";
import { seededUuid } from "./uuid.ts";

const ROOT = "SPDXRef-Artifact";
const NONE = "NOASSERTION";

export function encodeSpdx(bill: Bill): string {
  const packages = bill.packages.map((one, i) => ({
    id: `SPDXRef-Package-${i + 1}`,
    body: { name: one.name, versionInfo: one.version, ...purl(one.url), ...checksum(one.sha256) },
  }));
  const kernels = bill.kernels.map((kernel, i) => ({ id: `SPDXRef-Kernel-${i + 1}`, body: kernelBody(kernel) }));
  const files = bill.files.map((file, i) => ({ id: `SPDXRef-File-${i + 1}`, file }));
  const contained = [...packages, ...kernels, ...files].map(({ id }) => relation(ROOT, "CONTAINS", id));
  const artifact = {
    ...{ name: bill.name, ...(bill.version !== undefined && { versionInfo: bill.version }) },
    ...checksum(bill.sha256),
    ...(bill.leftOut > 0 && { comment: leftOutText(bill) }),
  };
  return canonicalJson({
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: bill.name,
    documentNamespace: `urn:uuid:${seededUuid(bill.seed, "spdx")}`,
    creationInfo: { created: billTime(bill), creators: [`Tool: bootwright-${bill.toolVersion}`] },
    packages: [{ id: ROOT, body: artifact }, ...packages, ...kernels].map(({ id, body }) => ({
      ...{ SPDXID: id, downloadLocation: NONE, filesAnalyzed: false, copyrightText: NONE },
      ...{ licenseConcluded: NONE, licenseDeclared: NONE },
      ...body,
    })),
    files: files.map(({ id, file }) => ({
      SPDXID: id,
      fileName: `./${file.path}`,
      checksums: [
        { algorithm: "SHA1", checksumValue: file.sha1 },
        { algorithm: "SHA256", checksumValue: file.sha256 },
      ],
      ...{ copyrightText: NONE, licenseConcluded: NONE, licenseInfoInFiles: [NONE] },
    })),
    relationships: [relation("SPDXRef-DOCUMENT", "DESCRIBES", ROOT), ...contained],
  });
}

const kernelBody = (kernel: BillKernel) => ({
  ...{ name: "linux", versionInfo: kernel.release, ...purl(kernelUrl(kernel)) },
  ...(kernel.config !== undefined && { comment: `configuration: sha256:${kernel.config}` }),
});

const purl = (url: string) => ({
  externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: url }],
});

const checksum = (sha256: string | undefined) =>
  sha256 === undefined ? {} : { checksums: [{ algorithm: "SHA256", checksumValue: sha256 }] };

const relation = (from: string, type: string, to: string): Json => ({
  ...{ spdxElementId: from, relationshipType: type, relatedSpdxElement: to },
});
