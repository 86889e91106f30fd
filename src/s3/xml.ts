/** The XML of S3's answers, as far as they are read: elements with text. sax is loaded with the first of them. */
import sax from "sax";
import { BootwrightError } from "../base/errors.ts";
import type { HttpResponse } from "../base/http.ts";

/** A thousand objects with names of 1 KiB, escaped, have some 4 MiB. */
const MAX_DOCUMENT = 16 * 1024 * 1024;
const MAX_DEPTH = 16;

export class XmlElement {
  readonly name: string;
  readonly children: XmlElement[] = [];
  content = "";

  constructor(name: string) {
    this.name = name;
  }

  /** Text of this element, or of its child of that name; "" when there is none. */
  text(child?: string): string {
    return child === undefined ? this.content : (this.children.find(({ name }) => name === child)?.content ?? "");
  }

  all(name: string): readonly XmlElement[] {
    return this.children.filter((child) => child.name === name);
  }

  /** The first of that name, at any depth. */
  find(name: string): XmlElement | undefined {
    if (this.name === name) return this;
    for (const child of this.children) {
      const found = child.find(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** Names without a prefix. Throws FORMAT_INVALID; `what` is whose answer it is. */
export function parseXml(text: string, what: string): XmlElement {
  const parser = sax.parser(true, { trim: false });
  const root = new XmlElement("");
  const open = [root];
  const invalid = (why: string) =>
    new BootwrightError("FORMAT_INVALID", `${what}: the answer is not what S3 says: ${why}`);
  parser.onopentag = ({ name }) => {
    const element = new XmlElement(name.replace(/^.*:/, ""));
    if (open.length > MAX_DEPTH) throw invalid("nested too deeply");
    open.at(-1)!.children.push(element);
    open.push(element);
  };
  parser.ontext = (value) => {
    open.at(-1)!.content += value;
  };
  parser.oncdata = parser.ontext;
  parser.onclosetag = () => void open.pop();
  parser.onerror = (error) => {
    throw invalid(error.message.split("\n")[0]!);
  };
  parser.write(text).close();
  if (root.children.length === 0) throw invalid("it is empty");
  return root;
}

/** Throws LIMIT_EXCEEDED. */
export async function readXmlBody({ url, body }: HttpResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_DOCUMENT)
      throw new BootwrightError("LIMIT_EXCEEDED", `${new URL(url).host}: an answer without an end`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
