import { BootwrightError } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";

const ACTIONS = ["push", "pull", "copy", "inspect", "ls", "tag", "sign", "attest", "login", "logout"] as const;

export const oci = defineCommand({
  args: [
    { name: "action", required: true, choices: ACTIONS, summary: "what to do" },
    {
      name: "name",
      many: true,
      summary:
        "push: IMAGE|FILE… REF; pull, inspect: REF; copy: FROM TO; tag: REF TAG…; sign, attest: REF; ls: REF|HOST; login, logout: HOST",
    },
  ],
  flags: {
    to: {
      type: "string",
      value: "DIR",
      summary: "for pull: where to (default: here; images: their name)",
      complete: "directory",
    },
    referrers: {
      type: "boolean",
      summary:
        "for copy: with what is attached, such as signatures and statements of cosign's, and whatever refers to it",
    },
    platform: { type: "string", value: "OS/ARCH", summary: "for pull, copy, inspect: of several images this one" },
    replace: { type: "boolean", summary: "for pull: also files that are there with other bytes" },
    type: { type: "string", value: "TYPE", summary: "for push of files: what they are, as a media type" },
    annotation: { type: "list", value: "NAME=VALUE", summary: "for push of files: an annotation; may be repeated" },
    key: { type: "string", value: "NAME", summary: "for sign, attest: key of the config that signs" },
    statement: {
      type: "string",
      value: "FILE",
      summary: "for attest: an in-toto statement, or a bill of materials (SPDX, CycloneDX)",
      complete: "file",
    },
    username: { type: "string", value: "NAME", summary: "for login: the account" },
    "password-stdin": { type: "boolean", summary: "for login: read the password from stdin" },
    "plain-http": { type: "boolean", summary: "speak to the registry without TLS" },
    ca: { type: "string", value: "FILE", summary: "certificate of who signed the registry's (PEM)", complete: "file" },
    "dry-run": {
      type: "boolean",
      summary: "for push, copy, tag, sign, attest: say what would be done; exit 10 when something would",
    },
  },
  examples: [
    { run: "bootwright oci push kernel registry.example.org/team/kernel:6.12", says: "build an image and push it" },
    { run: "bootwright oci pull registry.example.org/team/kernel:6.12", says: "fetch its files and verify them" },
    { run: "bootwright oci copy ./layout registry.example.org/team/base:1", says: "copy a layout byte for byte" },
    { run: "bootwright oci sign registry.example.org/team/kernel:6.12 --key release", says: "sign it, for cosign too" },
    { run: "bootwright oci ls registry.example.org/team/kernel", says: "its tags" },
  ],
  about:
    "Registries: files as artifacts, container images, indexes of several platforms. A REF is HOST/NAME[:TAG][@sha256:HEX]; FROM and TO of copy may also be an OCI layout (a directory, or a tar of one). Passwords are read from $REGISTRY_AUTH_FILE or ~/.docker/config.json, and from credential helpers.",
  run: async ({ args, flags, session }) => {
    const action = ACTIONS.find((one) => one === args[0]) ?? "ls";
    const words = args.slice(1);
    const dryRun = flags["dry-run"] ?? false;
    const access = { plainHttp: flags["plain-http"], ca: flags.ca };
    switch (action) {
      case "push": {
        const to = need(words, { action, least: 2, usage: "IMAGE|FILE… REF" }).at(-1)!;
        const { type, annotation: annotations } = flags;
        const { ociPush } = await import("../../api/oci-push.ts");
        return ociPush(session, { ...access, subjects: words.slice(0, -1), to, type, annotations, dryRun });
      }
      case "pull": {
        const [reference] = need(words, { action, least: 1, most: 1, usage: "REF" });
        const { to, platform, replace = false } = flags;
        return (await import("../../api/oci-pull.ts")).ociPull(session, {
          ...{ ...access, reference: reference!, to, platform, replace },
        });
      }
      case "copy": {
        const [from, to] = need(words, { action, least: 2, most: 2, usage: "FROM TO" });
        const { platform, referrers = false } = flags;
        return (await import("../../api/oci-copy.ts")).ociCopy(session, {
          ...{ ...access, from: from!, to: to!, platform, referrers, dryRun },
        });
      }
      case "inspect": {
        const [reference] = need(words, { action, least: 1, most: 1, usage: "REF" });
        const { platform } = flags;
        return (await import("../../api/oci-inspect.ts")).ociInspect(session, {
          ...{ ...access, reference: reference!, platform },
        });
      }
      case "tag": {
        const [reference, ...tags] = need(words, { action, least: 2, usage: "REF TAG…" });
        return (await import("../../api/oci-tag.ts")).ociTag(session, {
          ...{ ...access, reference: reference!, tags, dryRun },
        });
      }
      case "sign":
      case "attest": {
        const usage = action === "sign" ? "REF --key NAME" : "REF --statement FILE --key NAME";
        const [reference = ""] = need(words, { action, least: 1, most: 1, usage });
        const { key, statement } = flags;
        if (key === undefined || (action === "attest") !== (statement !== undefined))
          throw new BootwrightError("USAGE", `oci ${action} takes ${usage}`, {
            hint: `bootwright oci ${action} ${usage}`,
          });
        const { ociAttest, ociSign } = await import("../../api/oci-sign.ts");
        const options = { ...access, reference, key, dryRun };
        return statement === undefined ? ociSign(session, options) : ociAttest(session, { ...options, statement });
      }
      case "login": {
        const [host] = need(words, { action, least: 1, most: 1, usage: "HOST --username NAME" });
        const { username } = flags;
        if (username === undefined)
          throw new BootwrightError("USAGE", "oci login needs the account's name", {
            hint: `bootwright oci login ${host} --username NAME`,
          });
        const password = await readPassword(flags["password-stdin"] ?? false, { host: host!, username, session });
        return (await import("../../api/oci-login.ts")).ociLogin(session, {
          ...{ ...access, host: host!, username, password },
        });
      }
      case "logout": {
        const [host] = need(words, { action, least: 1, most: 1, usage: "HOST" });
        return (await import("../../api/oci-login.ts")).ociLogout(session, { host: host! });
      }
      default: {
        const [where] = need(words, { action, least: 1, most: 1, usage: "HOST/NAME" });
        return (await import("../../api/oci-list.ts")).ociList(session, { ...access, where: where! });
      }
    }
  },
});

function need(
  words: readonly string[],
  {
    action,
    least,
    most = Number.POSITIVE_INFINITY,
    usage,
  }: { action: string; least: number; most?: number; usage: string },
): readonly string[] {
  if (words.length >= least && words.length <= most) return words;
  throw new BootwrightError("USAGE", `oci ${action} takes ${usage}`, { hint: `bootwright oci ${action} ${usage}` });
}

async function readPassword(
  fromPipe: boolean,
  {
    host,
    username,
    session,
  }: { host: string; username: string; session: { interactive: boolean; signal: AbortSignal } },
): Promise<string> {
  const { askPassword, readPasswordFromPipe } = await import("../password.ts");
  if (fromPipe) return readPasswordFromPipe();
  if (session.interactive) return askPassword(`Password of ${username} at ${host}: `, session.signal);
  throw new BootwrightError("USAGE", "there is no terminal to ask for the password on", {
    hint: `bootwright oci login ${host} --username ${username} --password-stdin < FILE`,
  });
}
