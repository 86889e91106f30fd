import { expect, test } from "vitest";
import { run } from "../base/process.ts";
import { Console } from "./console.ts";
import { execOnConsole } from "./console-shell.ts";

function quietConsole(): Console {
  return new Console(() => {});
}

test("waits for text that is there, and for text that comes, over chunk borders and escapes", async () => {
  const console = quietConsole();
  console.receive(Buffer.from("log\u001b[1min: "));
  await console.waitFor("login: ");
  const later = console.waitFor(/host(\d+) ready/);
  console.receive(Buffer.from("ho"));
  console.receive(Buffer.from("st7 ready\r\n"));
  expect((await later)[1]).toBe("7");
});

test("`fresh` does not see what was there", async () => {
  const console = quietConsole();
  console.receive(Buffer.from("ready\n"));
  await expect(console.waitFor("ready", { fresh: true, timeout: 10 })).rejects.toMatchObject({ code: "GUEST_TIMEOUT" });
});

test("a text is no pattern, and a global pattern keeps no place", async () => {
  const console = quietConsole();
  console.receive(Buffer.from("a.c (x)"));
  await console.waitFor("(x)");
  await expect(console.waitFor("a+c", { timeout: 5 })).rejects.toMatchObject({ code: "GUEST_TIMEOUT" });
  const pattern = /a/g;
  await console.waitFor(pattern);
  await console.waitFor(pattern);
});

test("a wait that fails shows the last lines; the machine's end ends it at once", async () => {
  const console = quietConsole();
  console.receive(Buffer.from("one\r\ntwo\r\n"));
  await expect(console.waitFor("x", { timeout: 5 })).rejects.toMatchObject({ detail: "one\ntwo" });
  const waiting = console.waitFor("x");
  console.end(new Error("powered off"));
  await expect(waiting).rejects.toThrow("powered off");
});

test("keeps a bounded part, and places stay right", () => {
  const console = quietConsole();
  const line = `${"x".repeat(1023)}\n`;
  for (let i = 0; i < 9 * 1024; i++) console.receive(Buffer.from(line));
  const place = console.position;
  console.receive(Buffer.from("end"));
  expect(console.raw.length).toBeLessThanOrEqual(8 * 1024 * 1024);
  expect(console.since(place)).toBe("end");
});

/** A console behind which a real shell runs each typed line, and which echoes it as a terminal does. */
function shellConsole(): Console {
  const console: Console = new Console((bytes) => {
    console.receive(Buffer.from(`/ # ${bytes.toString().replaceAll("\n", "\r\n")}`));
    void run(["sh", "-c", bytes.toString()], { accept: [0, 1, 2, 127] }).then(({ stdout }) => {
      console.receive(Buffer.from(stdout.toString().replaceAll("\n", "\r\n")));
    });
  });
  return console;
}

test.each([
  ["echo hello; exit 3", "hello\n", 3],
  ["printf 'no newline'", "no newline", 0],
  ["echo \"it's\" 'quo\"ted' $((1 + 1))", "it's quo\"ted 2\n", 0],
  ['for i in 1 2\ndo echo "line $i\\\\x"\ndone', "line 1\\x\nline 2\\x\n", 0],
  ["echo error >&2; false", "error\n", 1],
])("runs %j in the shell on the console", async (command, stdout, exit) => {
  expect(await execOnConsole(shellConsole(), command)).toEqual({ exit, stdout, stderr: "", truncated: false });
});

test("says that no shell answered, and presses Ctrl-C", async () => {
  let typed = "";
  const console = new Console((bytes) => {
    typed += bytes.toString();
  });
  await expect(execOnConsole(console, "x", { timeout: 10 })).rejects.toMatchObject({
    code: "GUEST_EXEC_FAILED",
    message: "no shell answered on the serial console within 0.01 s",
  });
  expect(typed.at(-1)).toBe("\u0003");
});
