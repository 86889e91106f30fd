/** Copies content between registries and layouts, byte for byte. */
import path from "node:path";
import { EXIT } from "../base/error-codes.ts";
import { formatSize } from "../base/size.ts";
import type { ContentTarget } from "../oci/content.ts";
import { copyContent } from "../oci/copy.ts";
import { copyAttached, findAttached } from "../oci/copy-attached.ts";
import { type Location, parseLocation } from "../oci/reference.ts";
import { openRepository } from "../oci/repository.ts";
import { attachmentSource, attachmentTarget } from "./attachments.ts";
import { layoutTargetAt, openLocation } from "./oci-places.ts";
import { choose, parsePlatform } from "./oci-pull.ts";
import { pushSubject, requireDigest } from "./oci-push.ts";
import { type RegistryAccess, showCopying, withRegistries } from "./registries.ts";
import type { Report, Session } from "./session.ts";

export interface OciCopyOptions extends RegistryAccess {
  readonly from: string;
  readonly to: string;
  readonly platform?: string | undefined;
  /** Also what is attached: signatures, statements, whatever refers to it. */
  readonly referrers: boolean;
  readonly dryRun: boolean;
}

export async function ociCopy(session: Session, options: OciCopyOptions): Promise<Report> {
  const [from, to] = [parseLocation(options.from), parseLocation(options.to)];
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  return withRegistries(session, options, async (open) => {
    const { document: root, source, label } = await openLocation(session, { location: from, open });
    const { document } = await choose(source, { root, platform, label });
    const attached = options.referrers
      ? await findAttached(document, attachmentSource(session, { location: from, open }))
      : [];
    /** Before the content itself: whoever finds that finds its signatures. */
    const copyTheirs = async (target: ContentTarget) =>
      attached.length === 0
        ? 0
        : copyAttached(attached, {
            ...{ from: attachmentSource(session, { location: from, open }), to: target },
            there: attachmentTarget(session, { location: to, open }),
            signal: session.signal,
          });
    if (to.type === "registry") {
      const { reference } = to;
      requireDigest(reference, document);
      const { dryRun } = options;
      if (!dryRun) await copyTheirs(openRepository(open(reference.host), reference));
      const report = await pushSubject(session, { reference, subject: { document, source }, open, dryRun });
      return { ...report, data: { ...report.data, attached: attached.length } };
    }
    const tag = to.tag ?? nameOf(from);
    const file = path.resolve(session.cwd, to.path);
    const digest = `sha256:${document.hash}`;
    if (options.dryRun)
      return {
        data: { layout: file, digest, tag: tag ?? "", attached: attached.length, dryRun: true },
        text: `would copy ${digest} to ${to.path}`,
        exit: EXIT.different,
      };
    const target = await layoutTargetAt(file, to.archive);
    try {
      const on = showCopying(session, "copy");
      const theirs = await copyTheirs(target);
      const own = await copyContent(document, { from: source, to: target, tag, on, signal: session.signal });
      const sent = theirs + own.sent;
      await target.finish();
      return {
        data: { layout: file, digest, tag: tag ?? "", attached: attached.length, sent, dryRun: false },
        text: `${to.path}  ${digest}`,
        quiet: digest,
        summary: `copied ${formatSize(sent)}`,
      };
    } catch (error) {
      await target.abandon();
      throw error;
    }
  });
}

const nameOf = (from: Location): string | undefined =>
  from.type === "layout"
    ? from.tag
    : (from.reference.tag ?? (from.reference.digest === undefined ? "latest" : undefined));
