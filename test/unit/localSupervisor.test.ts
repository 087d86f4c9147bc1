import { afterEach, expect, test, vi } from "vitest";
import type { Role } from "../../app/local/instance.js";
import { createSupervisor, type Supervisor } from "../../app/local/supervisor.js";

/** A role as the app's are, with a line of its own after it listens. */
function role(name: string, more: string): Role {
  const program = `
    const server = require("node:http").createServer((request, response) => response.end("ok"));
    process.on("disconnect", () => process.exit(0));
    server.listen(0, "127.0.0.1", () => {
      process.send({ event: "listening", port: server.address().port });
      ${more}
    });`;
  return { name, args: ["-e", program], environment: process.env };
}

const open: Supervisor[] = [];
afterEach(async () => {
  for (const supervisor of open.splice(0)) {
    supervisor.kill();
    await supervisor.stop(0);
  }
});

function supervised(...roles: Role[]) {
  const events = { line: vi.fn(), progress: vi.fn(), up: vi.fn(), down: vi.fn() };
  const supervisor = createSupervisor(roles, events);
  open.push(supervisor);
  return { supervisor, events };
}

test("the start ends when all are healthy; what crashes then comes back, later each time", async () => {
  const { supervisor, events } = supervised(
    role("steady", ""),
    role("shaky", `console.log("one\\ntwo"); setTimeout(() => process.exit(1), 50)`),
  );
  await supervisor.start();
  expect(events.up).toHaveBeenCalledWith("steady", expect.any(Number));
  expect(events.line).toHaveBeenCalledWith("shaky", "two");

  await vi.waitFor(() => expect(events.up.mock.calls.filter(([name]) => name === "shaky")).toHaveLength(3), 10_000);
  const restarts = events.progress.mock.calls.filter(([name]) => name === "shaky").map(([, text]) => text);
  expect(restarts.slice(0, 2)).toEqual([
    "ended (exit code 1); starting it again in 0.25 s",
    "ended (exit code 1); starting it again in 0.5 s",
  ]);
  expect(events.up.mock.calls.filter(([name]) => name === "steady")).toHaveLength(1);
});

test("a role that refuses its configuration fails the start with its code and its words", async () => {
  const { supervisor } = supervised(role("fine", ""), {
    name: "worker-1",
    args: ["-e", `console.error("no such graph"); process.exit(2)`],
    environment: process.env,
  });
  await expect(supervisor.start()).rejects.toMatchObject({
    exitCode: 2,
    message: "worker-1 can't start (exit code 2)\nno such graph",
  });
});

test("a role that keeps crashing before all are healthy fails the start", async () => {
  const { supervisor, events } = supervised({
    name: "worker-1",
    args: ["-e", "process.abort()"],
    environment: process.env,
  });
  await expect(supervisor.start()).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining("SIGABRT") });
  expect(events.down).toHaveBeenCalledTimes(3);
});

test("stop lets roles drain, kills one that doesn't, and takes along what they started", async () => {
  // Whoever holds a role's output is still there: stop waits for the last of them.
  const startsAnother = `require("node:child_process").spawn("sleep", ["1000"], { stdio: "inherit" });`;
  const { supervisor, events } = supervised(
    role("drains", `${startsAnother} process.on("SIGTERM", () => { console.log("drained"); process.exit(0); })`),
    role("deaf", `${startsAnother} process.on("SIGTERM", () => {})`),
  );
  await supervisor.start();
  await supervisor.stop(500);
  expect(events.line).toHaveBeenCalledWith("drains", "drained");
  expect(events.progress).toHaveBeenCalledExactlyOnceWith("deaf", "has not drained within 0.5 s; killing it");
  expect(events.down).toHaveBeenCalledTimes(2);
});
