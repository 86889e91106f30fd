/** A bill of materials as CycloneDX 1.6 (JSON). The same bill gives the same bytes. */
import { canonicalJson } from "../base/json.ts";
import { type Bill, type BillKernel, billTime, kernelUrl, leftOutText } from "./bill.ts";
import { seededUuid } from "./uuid.ts";

const ROOT = "artifact";

export function encodeCycloneDx(bill: Bill): string {
  const packages = bill.packages.map(({ name, version, url, sha256 }) => ({
    ...{ type: "library", "bom-ref": url, name, version, purl: url, ...hashes(sha256) },
  }));
  const files = bill.files.map(({ path, sha256 }) => ({
    ...{ type: "file", "bom-ref": `file:${path}`, name: path, ...hashes(sha256) },
  }));
  const components = [...bill.kernels.map(kernelComponent), ...packages, ...files];
  return canonicalJson({
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${seededUuid(bill.seed, "cyclonedx")}`,
    version: 1,
    metadata: {
      timestamp: billTime(bill),
      tools: { components: [{ type: "application", name: "bootwright", version: bill.toolVersion }] },
      component: {
        ...{ type: "operating-system", "bom-ref": ROOT, name: bill.name, ...hashes(bill.sha256) },
        ...(bill.version !== undefined && { version: bill.version }),
        ...(bill.leftOut > 0 && { description: leftOutText(bill) }),
      },
    },
    components,
    dependencies: [{ ref: ROOT, dependsOn: components.map((one) => one["bom-ref"]) }],
  });
}

const kernelComponent = (kernel: BillKernel) => ({
  ...{ type: "operating-system", "bom-ref": kernelUrl(kernel), name: "linux", version: kernel.release },
  purl: kernelUrl(kernel),
  ...(kernel.config !== undefined && {
    properties: [{ name: "bootwright:kernel:config", value: `sha256:${kernel.config}` }],
  }),
});

const hashes = (sha256: string | undefined) =>
  sha256 === undefined ? {} : { hashes: [{ alg: "SHA-256", content: sha256 }] };
