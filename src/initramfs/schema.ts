/** The keys of `initramfs` that are its own; the files it holds are said as for any tree, and joined in `config/schema.ts`. */
import { z } from "zod";
import { hostPath, imagePath, namedMap, nameText } from "../base/schema.ts";

const compressionKind = z.enum(["zstd", "gzip", "xz", "lz4", "none"]);

/** Highest levels. What is more would be refused by the compressor, or, by xz, taken as two levels. */
const MAX_LEVEL = { zstd: 22, gzip: 9, xz: 9, lz4: 12, none: 0 } as const;

const compression = z.union([
  compressionKind.transform((kind) => ({ kind, level: undefined })),
  z
    .strictObject({
      kind: compressionKind.describe("Compressor."),
      level: z.int().min(1).max(22).optional().describe("Its level. Default: the compressor's own."),
    })
    .superRefine(({ kind, level = 0 }, ctx) => {
      if (level <= MAX_LEVEL[kind]) return;
      const known = kind === "none" ? "has no levels" : `knows levels 1 to ${MAX_LEVEL[kind]}`;
      ctx.addIssue({ code: "custom", path: ["level"], message: `${kind} ${known}` });
    }),
]);

const service = z.strictObject({
  exec: z
    .union([
      z
        .string()
        .min(1)
        .transform((command) => [command]),
      z.array(z.string().min(1)).min(1),
    ])
    .describe("Program, or program and arguments."),
  restart: z.enum(["always", "never"]).default("always").describe("What to do when it ends."),
});

const moduleNames = z.array(z.string().min(1));

const modules = z.union([
  z.enum(["all", "auto"]),
  moduleNames,
  z.strictObject({
    stage1: moduleNames.default([]).describe("Loaded first of all."),
    stage2: moduleNames
      .default([])
      .describe("Loaded after the programs of `run`, which may have brought up the network."),
    devices: hostPath()
      .optional()
      .describe("A list of devices, one modalias a line: what drives them is loaded in stage 1, too."),
  }),
]);

export interface ModulesChoice {
  /** Anything at all. */
  readonly any: boolean;
  readonly all: boolean;
  readonly stage1: readonly string[];
  readonly stage2: readonly string[];
  readonly devices: string | undefined;
}

function modulesChoice(written: z.output<typeof modules>): ModulesChoice {
  const none = { any: true, all: false, stage1: [], stage2: [], devices: undefined };
  if (written === "all") return { ...none, all: true };
  if (written === "auto") return { ...none, devices: "./devices.list" };
  if (Array.isArray(written)) return { ...none, any: written.length > 0, stage1: written };
  const { stage1, stage2, devices } = written;
  return { ...none, any: stage1.length + stage2.length > 0 || devices !== undefined, stage1, stage2, devices };
}

export const initramfsShape = {
  init: z
    .union([z.enum(["busybox", "none"]), imagePath()])
    .describe(
      'First program: "busybox" brings BusyBox as init, a path names a program of the tree, "none" adds nothing.',
    ),
  kernel: z.string().optional().describe("Kernel whose modules to take. Default: the only one."),
  busybox: hostPath().optional().describe("A static BusyBox on the host. Default: Debian's busybox-static package."),
  root: z
    .boolean()
    .default(false)
    .describe(
      'Go on to the root file system that `root=` of the command line names (PARTLABEL=, LABEL=, UUID= or a device), and start its init. Needs init "busybox".',
    ),
  verify: z
    .array(
      z.union([
        nameText().transform((image) => ({ image, device: `PARTLABEL=${image}`, hashes: undefined, mount: undefined })),
        z.strictObject({
          image: nameText().describe("Image with `verity`."),
          device: z
            .string()
            .regex(/^((PARTLABEL|PARTUUID|LABEL|UUID)=\S+|\/dev\/\S+)$/, 'expected a device such as "PARTLABEL=host"')
            .optional()
            .describe(
              "Where it lies at boot. {slot} stands for a or b, by the ESP that was started from (esp-a, esp-b). Default: PARTLABEL= and the image's name.",
            ),
          hashes: z
            .string()
            .regex(
              /^((PARTLABEL|PARTUUID|LABEL|UUID)=\S+|\/dev\/\S+)$/,
              'expected a device such as "PARTLABEL=host-verity"',
            )
            .optional()
            .describe(
              'Where its hash tree lies, when that is "apart"; {slot} as for `device`. Default: PARTLABEL= and the image\'s name with -verity.',
            ),
          mount: imagePath().optional().describe('Where it belongs; "/" is the root. Default: / for the first.'),
        }),
      ]),
    )
    .default([])
    .describe(
      "Verified images to open and mount before the root's init starts: their root hashes become part of the initramfs. With `root: true`; nothing else is mounted then, and there is no rescue shell.",
    ),
  run: z.array(imagePath()).default([]).describe("Programs of the tree to run at boot, in order."),
  services: namedMap(service).default({}).describe("Programs to keep running, by name."),
  modules: modules
    .default([])
    .transform(modulesChoice)
    .describe(
      'Kernel modules to bring and load, with what they depend on: a list; { stage1, stage2 }, of which the second is loaded after `run`; { devices: FILE }: what a list of devices needs; "auto": the same with ./devices.list; "all": every module, loaded for the devices that are there.',
    ),
  firmware: z.array(z.string().min(1)).default([]).describe("Glob patterns of firmware files to bring."),
  console: z
    .enum(["shell", "login", "none"])
    .default("shell")
    .describe('On the console: a root "shell", a "login" prompt, or "none".'),
  agent: z
    .boolean()
    .default(true)
    .describe("A small program that lets `boot -- CMD` and boot tests run commands in the guest."),
  compress: compression.prefault("zstd").describe("Compression of the main segment."),
  microcode: z
    .union([hostPath().transform((path) => [path]), z.array(hostPath())])
    .default([])
    .describe("Early microcode: cpio files or directories of microcode, put first and uncompressed."),
};

const ownSchema = z.strictObject(initramfsShape);

export type InitramfsConfig = z.output<typeof ownSchema>;
export type Compression = InitramfsConfig["compress"];
export type ServiceConfig = z.output<typeof service>;
