import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { tryAgent } from "../../infra/smoke/trial.js";
import { type Answers, runWith } from "./support/standIns.js";

const program = "infra/smoke/main.ts";
const key = "sy_0123456789abcdefghij";

/** A stand-in for the load balancer and all behind it. @param stream what /runs/stream answers */
async function balancer(stream: string, status = 200) {
  const requests: { path: string | undefined; body: unknown; key: unknown }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    requests.push({ path: request.url, body: JSON.parse(body), key: request.headers["x-api-key"] });
    if (request.url === "/assistants/search")
      response.end(JSON.stringify([{ graph_id: "writer" }, { graph_id: "echo" }]));
    else response.writeHead(status, { "content-type": "text/event-stream" }).end(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

const event = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\nid: 1-0\n\n`;
const whole = `${event("metadata", { run_id: "1" })}: heartbeat\n\n${event("values", { messages: [] })}${event("end", null)}`;

const outputsOf = (url: string): Answers => ({
  "stack output --json --show-secrets --stack dev": {
    ...{ url, apiKey: key, cluster: "cluster-1", serverService: "servers-1", workerService: "workers-1" },
    access: "Nobody can connect yet.",
    logs: "aws logs tail /switchyard/dev/servers-1 --follow --region us-east-1",
  },
});

const ecs: Answers = {
  "ecs describe-services": {
    services: [
      { serviceName: "servers-1", runningCount: 0, desiredCount: 2, events: [{ message: "unable to place a task" }] },
    ],
  },
  "ecs list-tasks --service-name servers-1": { taskArns: ["arn:task/1"] },
  "ecs list-tasks --service-name workers-1": { taskArns: [] },
  "ecs describe-tasks": {
    tasks: [
      {
        stoppedReason: "Essential container in task exited",
        containers: [{ name: "servers", exitCode: 3, reason: "Redis" }],
      },
    ],
  },
};

test("an agent that answers through the load balancer is enough", async () => {
  const { url, requests } = await balancer(whole);
  const { code, stdout } = await runWith({ pulumi: outputsOf(url) }, program, ["--stack", "dev"]);
  expect(stdout).toMatch(/^ok .*: echo answered in \d+ ms: metadata, 1 values, end\n$/m);
  expect(code).toBe(0);
  expect(requests.at(-1)).toMatchObject({ path: "/runs/stream", body: { assistant_id: "echo" }, key });
});

test("which agent, and what it is asked, can be said", async () => {
  const { url, requests } = await balancer(whole);
  await runWith({ pulumi: outputsOf(url) }, program, [
    "--stack",
    "dev",
    "--agent",
    "sql",
    "--input",
    '{"question":"why"}',
  ]);
  expect(requests.at(-1)).toEqual({
    path: "/runs/stream",
    body: expect.objectContaining({ assistant_id: "sql", input: { question: "why" } }),
    key,
  });
});

test.each([
  ["ends without its end", event("metadata", {}), 200, "should be metadata, values, end; it was metadata"],
  ["finds no server", "<html>Service Unavailable</html>", 503, "the load balancer has no healthy server (503)"],
  ["is refused", `{"detail":"the key ${key} is unknown"}`, 403, "POST /runs/stream answered 403"],
])(
  "a run that %s shows why tasks stopped and where the logs are, and never the key",
  async (_, stream, status, says) => {
    const { url } = await balancer(stream, status);
    const { code, stdout, stderr } = await runWith({ pulumi: outputsOf(url), aws: ecs }, program, ["--stack", "dev"]);
    expect(code).toBe(1);
    expect(stdout).toContain(says);
    expect(stdout).toContain("servers-1: 0 of 2 tasks run");
    expect(stdout).toContain("unable to place a task");
    expect(stdout).toContain(
      "stopped task of servers-1: Essential container in task exited; servers: exit code 3, Redis",
    );
    expect(stdout).toContain("logs: aws logs tail /switchyard/dev/servers-1 --follow --region us-east-1");
    expect(stdout + stderr).not.toContain(key);
  },
);

test("an agent that fails is told with the command that shows the logs, and no tasks", async () => {
  const stream = `${event("metadata", {})}${event("error", { message: "no model" })}${event("end", null)}`;
  const { url } = await balancer(stream);
  const { code, stdout } = await runWith({ pulumi: outputsOf(url), aws: ecs }, program, ["--stack", "dev"]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/no model.*\n +logs: aws logs tail \/switchyard\/dev\//);
  expect(stdout).not.toContain("stopped task");
});

test("tasks that are still being replaced are named, since an old one may have answered", async () => {
  const { url } = await balancer(whole);
  const deployments = [{ status: "PRIMARY", rolloutState: "IN_PROGRESS", runningCount: 1, desiredCount: 2 }];
  const aws = { "ecs describe-services": { services: [{ serviceName: "workers-1", deployments }] } };
  const { code, stdout } = await runWith({ pulumi: outputsOf(url), aws }, program, ["--stack", "dev"]);
  expect(stdout).toContain("note  workers-1 is still rolling out, 1 of 2 new; an old task may be the one that answers");
  expect(code).toBe(0);
});

test("servers without a worker, and something else that answers, are told apart", async () => {
  const silent = createServer((request, response) => {
    if (request.url === "/runs/stream") response.write(event("metadata", {}));
    else response.end(JSON.stringify([{ graph_id: "echo" }]));
  });
  const page = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<html></html>");
  });
  const failure = async (server: Server) => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return tryAgent({ url, apiKey: key }, { agent: undefined, input: {} }, { firstMs: 5_000, runMs: 500 });
  };
  await expect(failure(silent)).rejects.toThrow("the servers answer, but no worker took the run within 0.5 s");
  await expect(failure(page)).rejects.toThrow("is not Switchyard");
});

test("where nobody answers, it says who may connect", async () => {
  const { code, stdout } = await runWith({ pulumi: outputsOf("http://127.0.0.1:9") }, program, ["--stack", "dev"]);
  expect(code).toBe(1);
  expect(stdout).toContain("Nobody can connect yet.");
  expect(stdout).toContain("mend: pulumi config set --stack dev --path 'allowedCidrs[0]'");
  expect(stdout).toContain("the command aws is not there");
});

test("a stack that is not up, no pulumi, and wrong usage have their own exit codes", async () => {
  const empty = await runWith({ pulumi: { "stack output": {} } }, program, ["--stack", "dev"]);
  expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining("no output url") });
  const locked = await runWith({ pulumi: { "stack output": { complaint: "passphrase must be set" } } }, program, [
    ...["--stack", "dev"],
  ]);
  expect(locked).toMatchObject({ code: 1, stderr: expect.stringContaining("mend: export PULUMI_CONFIG_PASSPHRASE") });
  const odd = await runWith({ pulumi: { "stack output": "no JSON" } }, program, ["--stack", "dev"]);
  expect(odd).toMatchObject({ code: 1, stderr: "pulumi answered no JSON\n" });
  expect(await runWith({}, program, ["--stack", "dev"])).toMatchObject({ code: 3 });
  expect(await runWith({}, program, ["--stack", "nope"])).toMatchObject({ code: 2 });
  expect(await runWith({}, program, ["--stack", "dev", "--input", "{"])).toMatchObject({ code: 2 });
  expect(await runWith({}, program, ["--help"])).toMatchObject({ code: 0 });
});
