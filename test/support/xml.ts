/** What XML (https://www.w3.org/TR/xml/) asks of a document's tags and texts; enough for reports. */

/** The names of all elements in order. Throws where the document is not well-formed. */
export function elementsOf(xml: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  const token =
    /<\?xml [^?]*\?>|<(?<close>\/)?(?<name>[\w:-]+)(?:\s+[\w:-]+="(?:[^<&"]|&(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);)*")*\s*(?<empty>\/)?>|(?:[^<&]|&(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);)+/giy;
  while (token.lastIndex < xml.length) {
    const at = token.lastIndex;
    const match = token.exec(xml);
    if (match === null) throw new Error(`not well-formed at ${at}: ${xml.slice(at, at + 80)}`);
    const { close, name, empty } = match.groups!;
    if (name === undefined) continue;
    if (close !== undefined) {
      if (open.pop() !== name) throw new Error(`</${name}> at ${at} closes nothing`);
      continue;
    }
    names.push(name);
    if (empty === undefined) open.push(name);
  }
  if (open.length > 0 || names.length === 0) throw new Error(`not closed: ${open.join(", ")}`);
  return names;
}
