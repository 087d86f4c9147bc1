import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readOptions } from "../../app/local/options.js";
import { readReplicas } from "../../app/local/stackFile.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "switchyard-options-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const options = (line: string) => readOptions(line.split(" ").filter(Boolean), folder);

test("options have the documented defaults, and paths are relative to where the user is", () => {
  expect(options("")).toMatchObject({ help: false, port: 8000 });
  write("langgraph.json", "{}");
  expect(options("--stack prod --servers 3 --workers 2 --port 0 --config langgraph.json --data keep")).toEqual({
    help: false,
    stack: "prod",
    servers: 3,
    workers: 2,
    port: 0,
    config: join(folder, "langgraph.json"),
    data: join(folder, "keep"),
  });
});

test.each([
  ["--serverz 3", "Unknown option '--serverz'"],
  ["prod", "Unexpected argument 'prod'"],
  ["--port", "Option '--port <value>' argument missing"],
  ["--servers 0", '--servers must be a whole number from 1 to 200, not "0"'],
  ["--workers 1.5", '--workers must be a whole number from 1 to 1000, not "1.5"'],
  ["--port 65536", '--port must be a whole number from 0 to 65535, not "65536"'],
  ["--config missing.json", "missing.json"],
  ["--config .", "is a folder; name the langgraph.json in it"],
])("%s is refused as wrong usage", (line, message) => {
  expect(() => options(line)).toThrow(
    expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) }),
  );
});

const project = `
name: switchyard
config:
  servers: { type: integer, default: 2, description: behind the load balancer }
  workers: { type: integer, default: 2 }
  switchyard:runsPerWorker: { type: integer, default: 10 }
`;

test("a stack's replicas are the project's defaults with the stack's own values over them", () => {
  write("Pulumi.yaml", project);
  write("Pulumi.dev.yaml", "config:\n  aws:region: us-east-1\n");
  write("Pulumi.prod.yaml", 'config:\n  switchyard:servers: 4\n  switchyard:workers: "6"\n');
  expect(readReplicas(folder, undefined)).toEqual({ servers: 2, workers: 2, runsPerWorker: 10 });
  expect(readReplicas(folder, "prod")).toEqual({ servers: 4, workers: 6, runsPerWorker: 10 });
});

test("the default stack needs no file, and a stack without workers gets one here", () => {
  write("Pulumi.yaml", project);
  expect(readReplicas(folder, undefined).servers).toBe(2);
  write("Pulumi.idle.yaml", "config:\n  switchyard:workers: 0\n");
  expect(readReplicas(folder, "idle").workers).toBe(1);
});

test.each([
  ["an unknown stack", undefined, "There is no Pulumi.test.yaml. Stacks here: prod"],
  [
    "a value that is no number",
    "config:\n  switchyard:servers: many\n",
    "Pulumi.test.yaml: switchyard:servers must be",
  ],
  ["a list", "config:\n  switchyard:servers: [1]\n", "Pulumi.test.yaml: switchyard:servers must be"],
  ["too many", "config:\n  switchyard:runsPerWorker: 1001\n", "switchyard:runsPerWorker must be a whole number"],
  ["broken YAML", "config: [", "Pulumi.test.yaml can't be read"],
])("%s is refused with the file and the key", (_case, text, message) => {
  write("Pulumi.yaml", project);
  write("Pulumi.prod.yaml", "config: {}\n");
  if (text !== undefined) write("Pulumi.test.yaml", text);
  expect(() => readReplicas(folder, "test")).toThrow(
    expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) }),
  );
});
