import { expect, test } from "vitest";
import { htmlView } from "./html-view.ts";

test("texts are shown as they are, and nothing is needed or asked from elsewhere", () => {
  const evil = `<script>alert("x")</script>&'`;
  const file = {
    ...{ publication: "one", image: "one", kind: "efi", name: "one.efi", immutable: [], version: evil, arch: "x86_64" },
    ...{ kernel: evil, size: 1024, sha256: "a".repeat(64), digest: "a".repeat(64), published: "2026-01-02T03:04:05Z" },
  };
  const state = {
    ...{ serial: 1, updated: "2026-01-02T03:04:05Z", previous: "", files: [file, { ...file, name: "two.efi" }] },
    ...{ moving: { "one-latest.efi": "two.efi" }, retired: [], views: [], signedBy: "" },
  };
  const page = htmlView(state);
  expect(page.match(/<script>/g)).toHaveLength(1);
  expect(page).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;");
  const readable = page.replace(/<script>[\s\S]*<\/script>/, "");
  for (const text of ["one.efi", "two.efi", "one-latest.efi", "a".repeat(64), "1.0 KiB"])
    expect(readable).toContain(text);
  expect(page).not.toMatch(/https?:|src=|@import|url\(/);
});
