import { stripTypeScriptTypes } from "node:module";
import { describe, expect, it } from "vitest";
import { isJavaScript, withoutTypes } from "./without-types.ts";

const PLAIN = `#!/usr/bin/env node
import { defineProject } from "bootwright";
const size = 4 > 3 ? "1MiB" : "2MiB";
export default defineProject({ name: \`a\${size}\`, images: { ...{} } });
`;

const TYPED = [
  "const n: number = 1;\nexport default n;\n",
  "const f = (a) => a;\nconst A = 1;\nexport default f<A>(2);\n",
  "export default {} satisfies object;\n",
  'import type { Project } from "bootwright";\nexport default {} as Project;\n',
  "interface A { b: string }\nexport default {};\n",
];

describe("withoutTypes", () => {
  it("leaves JavaScript as it is", () => {
    expect(isJavaScript(PLAIN)).toBe(true);
    expect(withoutTypes(PLAIN)).toBe(PLAIN);
  });

  it.each(TYPED)("takes the types out: %j", (text) => {
    expect(isJavaScript(text)).toBe(false);
    const stripped = withoutTypes(text);
    expect(stripped).toBe(stripTypeScriptTypes(text));
    expect(stripped).toHaveLength(text.length);
  });

  it("leaves what is neither to Node's message", () => {
    expect(isJavaScript("export default {{")).toBe(false);
    expect(() => withoutTypes("export default {{")).toThrow();
  });
});
