/**
 * Whether a config module can only ever give the same value for the same text. Its validated form is kept between runs
 * only then; a config that asks for the time, the environment or files by itself is run each time.
 */
import { type AnyNode, parse } from "acorn";
import { withoutTypes } from "./without-types.ts";

/** Free names that a pure module may use. Anything else that it has not declared itself makes it impure. */
const PURE_GLOBALS = new Set([
  "undefined",
  "NaN",
  "Infinity",
  "Object",
  "Array",
  "String",
  "Number",
  "Boolean",
  "Map",
  "Set",
  "JSON",
  "BigInt",
]);

/** Reach the world, or code made from text, through any value. */
const IMPURE_MEMBERS = new Set(["constructor", "__proto__", "prototype", "getPrototypeOf"]);

export function isPureModule(source: string, typescript: boolean): boolean {
  try {
    const text = typescript ? withoutTypes(source) : source;
    return isPure(parse(text, { ecmaVersion: "latest", sourceType: "module" }));
  } catch {
    return false;
  }
}

/** Walks every node. Scopes are not tracked: a name counts as declared when it is declared anywhere in the file. */
function isPure(program: AnyNode): boolean {
  const declared = new Set<string>();
  const used = new Set<string>();
  let pure = true;
  const visit = (node: AnyNode, role: "use" | "declare" | "key"): void => {
    switch (node.type) {
      case "Identifier":
        if (role === "declare") declared.add(node.name);
        else if (role === "use") used.add(node.name);
        return;
      case "MetaProperty":
      case "ImportExpression":
      case "AwaitExpression":
      case "ThisExpression":
        pure = false;
        return;
      case "MemberExpression":
        visit(node.object as AnyNode, "use");
        // obj[expression] could spell any member.
        if (node.computed && node.property.type !== "Literal") pure = false;
        if (isImpureName(memberName(node.property as AnyNode))) pure = false;
        return;
      case "Property":
        // Also what a pattern takes out: const { constructor: F } = f.
        if (isImpureName(memberName(node.key as AnyNode))) pure = false;
        visit(node.key as AnyNode, node.computed ? "use" : "key");
        visit(node.value as AnyNode, role);
        return;
      case "VariableDeclarator":
        visit(node.id as AnyNode, "declare");
        if (node.init) visit(node.init as AnyNode, "use");
        return;
      case "ArrowFunctionExpression":
      case "FunctionExpression":
      case "FunctionDeclaration":
        if (node.id) visit(node.id as AnyNode, "declare");
        for (const parameter of node.params) visit(parameter as AnyNode, "declare");
        visit(node.body as AnyNode, "use");
        return;
      case "ImportSpecifier":
      case "ImportDefaultSpecifier":
      case "ImportNamespaceSpecifier":
        declared.add(node.local.name);
        return;
      case "AssignmentPattern":
        visit(node.left as AnyNode, role);
        visit(node.right as AnyNode, "use");
        return;
      default:
        for (const child of childrenOf(node)) visit(child, role === "declare" ? "declare" : "use");
    }
  };
  visit(program, "use");
  return pure && [...used].every((name) => declared.has(name) || PURE_GLOBALS.has(name));
}

/** Locale methods depend on the machine. */
const isImpureName = (name: string): boolean => IMPURE_MEMBERS.has(name) || /locale/i.test(name);

const memberName = (node: AnyNode): string =>
  node.type === "Identifier" ? node.name : node.type === "Literal" ? String(node.value) : "";

function childrenOf(node: AnyNode): readonly AnyNode[] {
  return Object.values(node)
    .flatMap((value) => (Array.isArray(value) ? value : [value]))
    .filter(isNode);
}

const isNode = (value: unknown): value is AnyNode =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
