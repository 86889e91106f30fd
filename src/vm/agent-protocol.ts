/**
 * The guest agent's protocol: lines of words on the virtio-serial port `org.bootwright.agent`, data in base64, so that a
 * BusyBox shell script can speak it (`guest/agent.sh`).
 *
 *     host  → guest   exec ID BASE64(command)      kill ID      ping
 *     guest → host    hello VERSION    out ID BASE64    err ID BASE64    exit ID CODE
 */

export type AgentMessage =
  | { readonly type: "hello"; readonly version: number }
  | { readonly type: "out" | "err"; readonly id: string; readonly data: Buffer }
  | { readonly type: "exit"; readonly id: string; readonly code: number };

/** One line of output holds at most this much (`pump` in the agent sends blocks of 16 KiB). */
export const MAX_AGENT_LINE = 64 * 1024;

/** The guest's `read` and its command line are bounded; a script that is longer belongs into a file. */
export const MAX_COMMAND = 64 * 1024;

export const encodeExec = (id: string, command: string): string =>
  `exec ${id} ${Buffer.from(command).toString("base64")}\n`;

export const encodeKill = (id: string): string => `kill ${id}\n`;

export const PING = "ping\n";

const ID = /^[a-z0-9]{1,16}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The message in one line, or undefined when the line is none: the guest is not trusted. */
export function decodeAgentLine(line: string): AgentMessage | undefined {
  const words = line.split(" ");
  const [type, id, value] = words;
  if (type === "hello" && words.length === 2 && /^\d{1,4}$/.test(id!)) return { type, version: Number(id) };
  if (words.length !== 3 || !ID.test(id!)) return undefined;
  if ((type === "out" || type === "err") && value!.length % 4 === 0 && BASE64.test(value!))
    return { type, id: id!, data: Buffer.from(value!, "base64") };
  if (type === "exit" && /^\d{1,3}$/.test(value!) && Number(value) <= 255)
    return { type, id: id!, code: Number(value) };
  return undefined;
}
