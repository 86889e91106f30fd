/** What `init` writes. Small on purpose: every line is one that a user will want to change. */
export type TemplateName = "hello" | "yaml";

export interface TemplateFile {
  readonly text: string;
  readonly mode: number;
}

export function templateFiles(template: TemplateName, name: string): Readonly<Record<string, TemplateFile>> {
  const config =
    template === "yaml"
      ? { "bootwright.yaml": file(yamlConfig(name)) }
      : { "bootwright.config.ts": file(typedConfig(name)) };
  return {
    ...config,
    "hello.sh": { text: HELLO, mode: 0o755 },
    ".gitignore": file("out/\ntest-results/\nnode_modules/\n"),
  };
}

const file = (text: string): TemplateFile => ({ text, mode: 0o644 });

const HELLO = `#!/bin/sh
# Runs once at boot, as root.
echo "hello from $(uname -sr)"
`;

const typedConfig = (name: string): string => `import { defineProject } from "bootwright";

export default defineProject({
  name: "${name}",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
  initramfs: {
    init: "busybox",
    files: {
      "/etc/motd": "welcome to ${name}\\n",
      "/etc/init.d/hello": { file: "./hello.sh", executable: true },
    },
    run: ["/etc/init.d/hello"],
  },
  images: {
    "${name}": { kind: "uki", cmdline: "console=ttyS0 quiet" },
  },
});
`;

const yamlConfig = (
  name: string,
): string => `# yaml-language-server: $schema=./node_modules/bootwright/schemas/bootwright.schema.json
name: ${name}

kernel:
  from: debian
  package: linux-image-cloud-amd64

initramfs:
  init: busybox
  files:
    /etc/motd: |
      welcome to ${name}
    /etc/init.d/hello: { file: ./hello.sh, executable: true }
  run: [/etc/init.d/hello]

images:
  ${name}: { kind: uki, cmdline: console=ttyS0 quiet }
`;
