/** One POST to one address, as a worker sends it. */
import { createServer } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { type PostOptions, post } from "../../app/webhooks/post.js";
import type { WebhookRules } from "../../app/webhooks/rules.js";
import { answers, hangs, receiver } from "../support/receiver.js";

const rules: WebhookRules = {
  ...{ requireHttps: false, allowedDomains: [], allowedPorts: [], maxUrlLength: 8_192 },
  ...{ disableLoopback: false, privateHosts: [] },
};
const options = (more: Partial<PostOptions> = {}): PostOptions => ({
  ...{ rules, headers: {}, timeoutMs: 10_000, signal: new AbortController().signal },
  ...more,
});
const failed = (reason: string, mayTryAgain: boolean) => ({ kind: "failed", reason, mayTryAgain });

test("the body arrives as JSON, with the project's headers", async () => {
  const { url, told } = await receiver();
  const headers = { authorization: "Bearer token" };
  expect(await post(`${url}/hook?a=b`, '{"run_id":"ü"}', options({ headers }))).toEqual({
    kind: "delivered",
    status: 204,
  });
  expect(told).toMatchObject([
    {
      ...{ path: "/hook?a=b", method: "POST", run: { run_id: "ü" } },
      headers: { "content-type": "application/json", "content-length": "15", authorization: "Bearer token" },
    },
  ]);
});

test.each([
  [500, true],
  [503, true],
  [429, true],
  [408, true],
  [400, false],
  [404, false],
  [410, false],
  [304, false],
])("an answer of %d is a failure; worth another try: %s", async (status, again) => {
  const { url } = await receiver(answers(status));
  expect(await post(url, "{}", options())).toEqual(failed(`status ${status}`, again));
});

test("a redirect is not followed", async () => {
  const other = await receiver();
  const { url } = await receiver(answers(307, { location: `${other.url}/elsewhere` }));
  expect(await post(url, "{}", options())).toEqual(failed("status 307", false));
  expect(other.told).toEqual([]);
});

test("a receiver that hangs, before its answer or before its connection is made, costs the time that it is given", async () => {
  const { url } = await receiver(hangs);
  expect(await post(url, "{}", options({ timeoutMs: 100 }))).toEqual(failed("timeout", true));
  const silent = options({ timeoutMs: 100, resolve: () => new Promise(() => {}) });
  expect(await post("http://silent.test", "{}", silent)).toEqual(failed("timeout", true));
});

test("a receiver that is not there may be there later", async () => {
  const { url } = await receiver();
  const port = Number(new URL(url).port);
  const nobody = `http://127.0.0.1:${port === 1 ? 2 : 1}`;
  expect(await post(nobody, "{}", options())).toEqual(failed("ECONNREFUSED", true));
  const unknown = options({
    resolve: async () => {
      throw Object.assign(new Error("getaddrinfo ENOTFOUND nobody.test"), { code: "ENOTFOUND" });
    },
  });
  expect(await post("http://nobody.test", "{}", unknown)).toEqual(failed("ENOTFOUND", true));
});

test("an answer without end is cut", async () => {
  let closed = false;
  const { url } = await receiver((response) => {
    response.on("close", () => {
      closed = true;
    });
    response.writeHead(200);
    const more = () => {
      while (!closed && response.write("x".repeat(16_384)));
      if (!closed) response.once("drain", more);
    };
    more();
  });
  expect(await post(url, "{}", options())).toEqual({ kind: "delivered", status: 200 });
  await expect.poll(() => closed).toBe(true);
});

test("a receiver that wants to go on in another protocol has not taken the webhook", async () => {
  const server = createServer((socket) => {
    const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    socket.on("error", () => {});
    socket.once("data", () => socket.write(switching));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  expect(await post(`http://127.0.0.1:${port}`, "{}", options())).toEqual(failed("status 101", false));
});

test("what is no HTTP is a failure", async () => {
  const server = createServer((socket) => socket.end("220 mail.example.com ESMTP\r\n"));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  expect(await post(`http://127.0.0.1:${port}`, "{}", options())).toEqual(failed("HPE_INVALID_CONSTANT", true));
});

test("a name is resolved once, and the connection goes where the check has looked", async () => {
  const { url, told } = await receiver();
  const { port } = new URL(url);
  // A name whose owner changes where it leads while it is looked at.
  const led = ["127.0.0.1", "10.0.0.1", "169.254.169.254"];
  const resolve = vi.fn(async () => [{ address: led.shift() ?? "", family: 4 }]);
  const address = `http://rebinding.test:${port}/x`;
  expect(await post(address, "{}", options({ resolve }))).toMatchObject({ kind: "delivered" });
  expect(resolve).toHaveBeenCalledOnce();
  expect(told[0]?.headers.host).toBe(`rebinding.test:${port}`);
  for (const _ of [1, 2])
    expect(await post(address, "{}", options({ resolve }))).toEqual(failed("address refused", false));
  expect(told).toHaveLength(1);
});

test("a name that leads to this machine or into a private network is refused, also as one of several", async () => {
  const { url, told } = await receiver();
  const address = url.replace("127.0.0.1", "hook.test");
  const strict = { ...rules, disableLoopback: true };
  for (const addresses of [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["10.0.0.8"], ["::ffff:127.0.0.1"]]) {
    const resolve = async () => addresses.map((each) => ({ address: each, family: each.includes(":") ? 6 : 4 }));
    expect(await post(address, "{}", options({ rules: strict, resolve }))).toEqual(failed("address refused", false));
  }
  // What was allowed when the run was created may be refused by now.
  expect(await post(url, "{}", options({ rules: strict }))).toEqual(failed("address refused", false));
  expect(told).toEqual([]);
});
