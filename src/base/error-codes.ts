/**
 * The one registry of error codes. `docs/reference/errors.md` and `bootwright explain CODE` are made from it, so a code
 * that is not here does not compile, and one that is here is documented. Codes are stable: never rename, never reuse.
 */

/** Exit classes (design §6). `bug` is only for errors without a code. */
export const EXIT = {
  ok: 0,
  bug: 1,
  usage: 2,
  unsupported: 3,
  host: 4,
  network: 5,
  disk: 6,
  verification: 7,
  program: 8,
  guest: 9,
  different: 10,
  interrupted: 130,
} as const;

export type ExitClass = Exclude<keyof typeof EXIT, "ok" | "bug">;

export interface ErrorCodeInfo {
  readonly exit: ExitClass;
  /** One line, as a person would say it. */
  readonly title: string;
  /** What it means and what to do; Markdown, one or two sentences. */
  readonly help: string;
}

export const ERROR_CODES = {
  USAGE: {
    exit: "usage",
    title: "The command line is not valid",
    help: "Run `bootwright help COMMAND` for its flags and examples.",
  },
  NAME_UNKNOWN: { exit: "usage", title: "A name does not exist", help: "The message lists the names that do exist." },
  CONFIG_NOT_FOUND: {
    exit: "usage",
    title: "There is no config here",
    help: "Run in the directory of `bootwright.config.ts` or `bootwright.yaml`, name one with `--config`, or make one with `bootwright init`.",
  },
  CONFIG_INVALID: {
    exit: "usage",
    title: "The config has mistakes",
    help: "Each mistake is shown with its file, line and column. `schemas/bootwright.schema.json` gives completion in editors.",
  },
  CONFIG_LOAD_FAILED: {
    exit: "usage",
    title: "The config could not be loaded",
    help: "The TypeScript or YAML itself is broken, or threw while it ran; the cause is shown.",
  },
  ENV_MISSING: {
    exit: "usage",
    title: "An environment variable that the config asks for is not set",
    help: "Set it, or give the reference a default: `{env:NAME:-default}`.",
  },
  LOCK_INVALID: {
    exit: "usage",
    title: "The lock file is damaged",
    help: "Restore `bootwright.lock` from version control, or delete it and build again.",
  },
  LOCK_FROZEN: {
    exit: "usage",
    title: "The lock would change",
    help: "`--frozen` forbids that. Run `bootwright update` and commit `bootwright.lock`.",
  },
  PATH_MISSING: {
    exit: "usage",
    title: "A file or directory that the config names is not there",
    help: "Paths are relative to the config file.",
  },
  PATH_UNSAFE: {
    exit: "usage",
    title: "A path leaves the tree",
    help: "Paths inside an image are absolute (`/etc/motd`), without `..`.",
  },
  TREE_CONFLICT: {
    exit: "usage",
    title: "Two parts of a tree claim one path differently",
    help: "A directory and a file cannot share a path; remove one.",
  },
  MODULE_UNKNOWN: { exit: "usage", title: "The kernel has no such module", help: "The message suggests near names." },
  KCONFIG_INVALID: {
    exit: "usage",
    title: "A fragment of a kernel config has mistakes",
    help: "Each line that is not understood is shown. A fragment has lines `CONFIG_X=y` and `# CONFIG_X is not set`.",
  },
  KCONFIG_UNTAKEN: {
    exit: "usage",
    title: "The kernel's config did not take an option",
    help: "Kconfig drops what it cannot have without a word: an option whose dependencies are off, or that this version lacks. Ask for what it depends on as well.",
  },
  KERNEL_UNKNOWN: {
    exit: "usage",
    title: "There is no such kernel version",
    help: "The message shows the address that was made of it, and which versions there are.",
  },
  PACKAGE_UNKNOWN: {
    exit: "usage",
    title: "The distribution has no such package",
    help: "Check the name and the suite; `bootwright update` reads the newest index.",
  },
  EXISTS: {
    exit: "usage",
    title: "Something is in the way",
    help: "Bootwright does not overwrite what it did not make.",
  },
  UNSUPPORTED: {
    exit: "unsupported",
    title: "This combination is not supported",
    help: "The message says which part, and what is.",
  },
  LIMIT_EXCEEDED: {
    exit: "unsupported",
    title: "Something is larger than it may be",
    help: "Formats have hard limits (4 GiB − 1 in newc and FAT), and what is unpacked has one against bombs. Nothing was truncated.",
  },
  BUDGET_EXCEEDED: {
    exit: "program",
    title: "A tree or an image is larger than its budget",
    help: "What takes the most is listed, and out/ is as it was; `bootwright inspect NAME --size` tells more of a tree or an image that still fits. Leave files out with `remove`, or raise `budget`.",
  },
  HOST_TOOL_MISSING: {
    exit: "host",
    title: "This host lacks a program",
    help: "`bootwright doctor --fix` installs what is missing on Debian and Ubuntu.",
  },
  SANDBOX_UNAVAILABLE: {
    exit: "host",
    title: "No sandbox works on this host",
    help: "Install bubblewrap and allow unprivileged user namespaces; `bootwright doctor` says what is wrong.",
  },
  STORE_LOCKED: {
    exit: "disk",
    title: "The store is busy",
    help: "Another process holds the store's index for long. Wait for it to end, then run again.",
  },
  NETWORK: {
    exit: "network",
    title: "A download failed",
    help: "It was retried. Check the address and the network; `--offline` uses only what is there.",
  },
  HTTP_STATUS: {
    exit: "network",
    title: "A server refused a request",
    help: "The message gives the status and the address.",
  },
  LOGIN_NEEDED: {
    exit: "network",
    title: "A registry wants to know who asks",
    help: "Log in with `bootwright oci login HOST`. Some registries say the same of a repository that does not exist.",
  },
  LOGIN_REFUSED: {
    exit: "network",
    title: "A registry does not take a name or password",
    help: "The message says where they came from. Log in again with `bootwright oci login HOST`.",
  },
  REGISTRY_DENIED: {
    exit: "network",
    title: "An account may not do this in a registry",
    help: "The message says what the account or its token may do, where the registry tells. Ask the repository's owner for the right.",
  },
  REGISTRY_UNKNOWN: {
    exit: "network",
    title: "A registry has no such repository, tag or digest",
    help: "The message lists the tags that there are; `bootwright oci ls HOST/NAME` does, too.",
  },
  REGISTRY_REFUSED: {
    exit: "network",
    title: "A registry did not accept a request",
    help: "What the registry says is shown below the message.",
  },
  RATE_LIMITED: {
    exit: "network",
    title: "A registry allows no more requests for now",
    help: "Short waits are kept by themselves. Log in, since registries allow more to whom they know, or try again later.",
  },
  CREDENTIALS_INVALID: {
    exit: "usage",
    title: "What says who we are in an object store is not complete",
    help: "The message says where it was found: environment variables, or the shared files of AWS tools.",
  },
  CREDENTIALS_REFUSED: {
    exit: "network",
    title: "An object store does not take the credentials",
    help: "The message says where they came from. They may be wrong, have expired, or belong to another store.",
  },
  BUCKET_UNKNOWN: {
    exit: "network",
    title: "An object store has no such bucket",
    help: "Check its name, and its endpoint in `buckets`. Buckets are made by their owner.",
  },
  OBJECT_UNKNOWN: {
    exit: "network",
    title: "A bucket has no such object",
    help: "The message names it.",
  },
  OBJECT_DENIED: {
    exit: "network",
    title: "An object store does not let us do this",
    help: "The message says as whom it was asked, and what the server says.",
  },
  OBJECT_REFUSED: {
    exit: "network",
    title: "An object store did not do what it was asked",
    help: "What the server says is shown below the message.",
  },
  OFFLINE: {
    exit: "network",
    title: "A byte is missing and `--offline` forbids fetching it",
    help: "Run once without `--offline`.",
  },
  PACKAGE_CONFLICT: {
    exit: "usage",
    title: "Packages do not fit together",
    help: "The message names who needs or refuses what. Name another package, or one with a version: `busybox>=1.36`.",
  },
  PACKAGE_GONE: {
    exit: "network",
    title: "The mirror dropped a pinned package",
    help: "Run `bootwright update NAME` to pin the version that the mirror has now.",
  },
  MIRROR_UNKNOWN: {
    exit: "usage",
    title: "No Debian mirror is known",
    help: "Set `sources.debian.mirror` and `suite` in the config; on Debian and Ubuntu the host's own apt configuration is used.",
  },
  DISK_FULL: {
    exit: "disk",
    title: "The disk is full",
    help: "Free space, or run `bootwright store gc --keep 5G`. Finished work is kept.",
  },
  ACCESS_DENIED: {
    exit: "disk",
    title: "A file cannot be read or written",
    help: "Check owner and mode of the path in the message.",
  },
  IO: {
    exit: "disk",
    title: "Reading or writing failed",
    help: "The message gives the operation, the path and the system's reason.",
  },
  BLOB_DAMAGED: {
    exit: "disk",
    title: "Stored bytes are damaged or missing",
    help: "The next build makes them again; `bootwright store verify` checks all.",
  },
  DIGEST_MISMATCH: {
    exit: "verification",
    title: "Bytes do not have the pinned digest",
    help: "Nothing was stored. The server changed the file, or something tampered with it; `bootwright update NAME` pins anew after you have checked.",
  },
  SIGNATURE_INVALID: {
    exit: "verification",
    title: "A signature does not verify",
    help: "Nothing was used. Check the keyring and the mirror.",
  },
  SIZE_MISMATCH: {
    exit: "verification",
    title: "A file has another size than it was said to have",
    help: "It is cut off, or something was put in its place. Nothing was used of it.",
  },
  ARCH_MISMATCH: {
    exit: "verification",
    title: "A kernel is for another architecture",
    help: "The message names both. `arch` of the config says what is wanted.",
  },
  CATALOG_ROLLBACK: {
    exit: "verification",
    title: "A catalog went back to an older index",
    help: "Somebody may be hiding newer kernels from you. Nothing was used of it; the message says which serials.",
  },
  CATALOG_MISSING: {
    exit: "network",
    title: "There is no catalog at this address",
    help: "Check `catalogs.NAME.url`. The first `bootwright kernel publish` makes a catalog.",
  },
  RECORD_BROKEN: {
    exit: "verification",
    title: "The record of releases is not what it was",
    help: "An entry is missing or was changed, the end was cut off, or two histories part. Nothing was done. `bootwright release verify` shows all that is wrong; the copy that is right, in git or in the place, is what to restore from.",
  },
  PROMOTION_REFUSED: {
    exit: "usage",
    title: "A release may not go there",
    help: "Releases go forward, along the order of `environments`, with the approvals that the config asks for. The message says what is missing.",
  },
  TAG_REFUSED: {
    exit: "usage",
    title: "A release cannot be tagged",
    help: "A tag that is there has another commit, a working tree has changes, a commit is not on the trunk, or is not checked. No repository was tagged.",
  },
  KERNEL_UNFIT: {
    exit: "unsupported",
    title: "A kernel lacks what is required of it",
    help: "Its stored configuration lacks options that `requires` names. Choose another kernel, or build one with them.",
  },
  IN_USE: {
    exit: "usage",
    title: "Something is still in use",
    help: "The message names the projects. `--yes` removes it all the same.",
  },
  FORMAT_INVALID: {
    exit: "verification",
    title: "A file is not what its format says",
    help: "The message gives the format, the offset and what was expected.",
  },
  STORE_DAMAGED: {
    exit: "verification",
    title: "The store holds damaged blobs",
    help: "They were dropped; the next build makes them again.",
  },
  PROGRAM_FAILED: {
    exit: "program",
    title: "A program failed",
    help: "The command, its exit code and its last lines are shown.",
  },
  PACKAGE_FAILED: {
    exit: "program",
    title: "A package could not be installed into a root file system",
    help: "The message names the package and its script, and what they said is shown. Scripts run without network and without running services.",
  },
  GUEST_NOT_READY: {
    exit: "guest",
    title: "The machine did not become ready",
    help: "The last console lines and, where recognised, the cause are shown.",
  },
  GUEST_PANIC: {
    exit: "guest",
    title: "The guest's kernel panicked",
    help: "The last console lines and, where recognised, the cause are shown.",
  },
  GUEST_TIMEOUT: {
    exit: "guest",
    title: "The guest did not do something in time",
    help: "The message says what was waited for; the last console lines are shown. Waits take a `timeout` in milliseconds.",
  },
  GUEST_EXEC_FAILED: {
    exit: "guest",
    title: "A command could not run in the guest",
    help: "Commands go to the guest agent, or else to a shell on the serial console. The message says which of them failed, and how.",
  },
  GUEST_GONE: {
    exit: "guest",
    title: "The machine stopped while something waited for it",
    help: "The guest powered off, rebooted or panicked, or was stopped; the last console lines are shown.",
  },
  MACHINE_FAILED: {
    exit: "guest",
    title: "The virtual machine stopped by itself",
    help: "The virtual machine monitor's own last lines are shown.",
  },
  TEST_FAILED: {
    exit: "guest",
    title: "Boot tests failed",
    help: "For each failure the console, the screen's text and a screenshot are kept; the report names the directory.",
  },
  DIFFERENT: {
    exit: "different",
    title: "There are differences",
    help: "Not a failure: the exit code 10 tells scripts.",
  },
  INTERRUPTED: { exit: "interrupted", title: "Interrupted", help: "Finished stages are kept; run again to go on." },
} as const satisfies Record<string, ErrorCodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERROR_CODES, text);
