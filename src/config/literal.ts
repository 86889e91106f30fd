/**
 * Where a value stands in a TypeScript or JavaScript config: the types are blanked out (which moves nothing), the rest
 * is parsed, and the default export's literal is walked along the path. Only done when there is something to report.
 */
import { type AnyNode, type Expression, type ObjectExpression, type Program, type Property, parse } from "acorn";
import type { Locator, Place, PlaceQuery } from "./place.ts";
import { withoutTypes } from "./without-types.ts";

/** Never throws: a file that cannot be parsed gives its start. */
export function locateInModule(source: string, typescript: boolean): Locator {
  let program: Program | undefined;
  try {
    const text = typescript ? withoutTypes(source) : source;
    program = parse(text, { ecmaVersion: "latest", sourceType: "module" });
  } catch {}
  return (query) => (program === undefined ? START : walk(program, query));
}

/** Spreads within spreads; constants may go round in a circle. */
const MAX_SPREADS = 8;

const START: Place = { start: 0, end: 1, found: 0, computed: true };

function walk(program: Program, { path, key }: PlaceQuery): Place {
  const exported = program.body.find((node) => node.type === "ExportDefaultDeclaration");
  if (exported === undefined) return START;
  const constants = constantsOf(program);
  const argument = (node: AnyNode): AnyNode => {
    const call = follow(node, constants);
    return call.type === "CallExpression" && call.arguments[0] !== undefined ? call.arguments[0] : call;
  };
  let value: AnyNode = argument(exported.declaration);
  let property: Property | undefined;
  let found = 0;
  for (const part of path) {
    const next = child(follow(value, constants), part, constants);
    if (next === undefined) break;
    value = next.value;
    property = next.property ?? property;
    found++;
  }
  const exact = found === path.length;
  const marked = property !== undefined && (key || !exact) ? property.key : value;
  return { start: marked.start, end: marked.end, found, computed: !exact && isComputed(follow(value, constants)) };
}

type Constants = ReadonlyMap<string, AnyNode>;

function constantsOf(program: Program): Constants {
  const constants = new Map<string, AnyNode>();
  for (const node of program.body) {
    const declaration = node.type === "ExportNamedDeclaration" ? node.declaration : node;
    if (declaration?.type !== "VariableDeclaration") continue;
    for (const { id, init } of declaration.declarations)
      if (id.type === "Identifier" && init) constants.set(id.name, init);
  }
  return constants;
}

/** A name of a constant stands for what it was set to. */
function follow(node: AnyNode, constants: Constants): AnyNode {
  let value = node;
  for (let hops = 0; hops < 16 && value.type === "Identifier"; hops++) {
    const next = constants.get(value.name);
    if (next === undefined) break;
    value = next;
  }
  return value;
}

function child(
  node: AnyNode,
  part: string | number,
  constants: Constants,
): { value: AnyNode; property?: Property } | undefined {
  if (node.type === "ArrayExpression" && typeof part === "number") {
    const before = node.elements.slice(0, part + 1);
    const element = node.elements[part];
    if (!element || before.some((entry) => entry?.type === "SpreadElement")) return undefined;
    return { value: element };
  }
  return node.type === "ObjectExpression" ? member(node, String(part), constants) : undefined;
}

/** The last one wins, as when the program runs; a spread before it is looked into. */
function member(
  node: ObjectExpression,
  name: string,
  constants: Constants,
  depth = 0,
): { value: Expression; property: Property } | undefined {
  if (depth > MAX_SPREADS) return undefined;
  for (const entry of node.properties.toReversed()) {
    if (entry.type === "SpreadElement") {
      const spread = follow(entry.argument, constants);
      const inside = spread.type === "ObjectExpression" ? member(spread, name, constants, depth + 1) : undefined;
      if (inside !== undefined) return inside;
    } else if (keyName(entry) === name) return { value: entry.value, property: entry };
  }
  return undefined;
}

function keyName(property: Property): string | undefined {
  if (property.computed) return undefined;
  if (property.key.type === "Identifier") return property.key.name;
  return property.key.type === "Literal" ? String(property.key.value) : undefined;
}

const isComputed = (node: AnyNode): boolean => {
  if (node.type === "ObjectExpression")
    return node.properties.some((entry) => entry.type === "SpreadElement" || entry.computed);
  if (node.type === "ArrayExpression") return node.elements.some((entry) => entry?.type === "SpreadElement");
  return node.type !== "Literal";
};
