import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { createLoadBalancer, type LoadBalancer } from "../../app/local/loadBalancer.js";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const open: Array<() => void> = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function upstream(handler: Handler): Promise<{ port: number; server: Server; kill(): void }> {
  const server = createServer((request, response) => {
    if (request.url === "/ok") return response.end("{}");
    handler(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const kill = () => {
    server.close();
    server.closeAllConnections();
  };
  open.push(kill);
  return { port: (server.address() as AddressInfo).port, server, kill };
}

/** A load balancer before one server for each handler. */
async function balanced(...handlers: Handler[]) {
  const ejected = vi.fn<(name: string, healthy: boolean) => void>();
  const balancer: LoadBalancer = createLoadBalancer(ejected);
  open.push(() => void balancer.close());
  const servers = await Promise.all(handlers.map(upstream));
  servers.forEach(({ port }, at) => {
    balancer.addTarget(`server-${at + 1}`, port);
  });
  const port = await balancer.listen(0);
  return { balancer, servers, ejected, port, url: `http://127.0.0.1:${port}` };
}

const says =
  (text: string): Handler =>
  (_request, response) => {
    response.end(text);
  };

test("each request goes to the next server, also on one connection", async () => {
  const { url } = await balanced(says("a"), says("b"), says("c"));
  const seen: string[] = [];
  for (let left = 9; left > 0; left--) seen.push(await (await fetch(url)).text());
  expect(seen).toEqual(["a", "b", "c", "a", "b", "c", "a", "b", "c"]);
});

test("headers and events of a stream pass at once, and a stream that a server cuts is cut for the client", async () => {
  const streams: ServerResponse[] = [];
  const { url } = await balanced((_request, response) => {
    streams.push(response);
    response.writeHead(200, { "content-type": "text/event-stream", location: "/resume" }).flushHeaders();
  });

  const answer = await fetch(url);
  expect(answer.headers.get("location")).toBe("/resume");
  const reader = answer.body?.getReader();
  for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
    streams[0]?.write(event);
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(event);
  }
  streams[0]?.destroy();
  await expect(reader?.read()).rejects.toThrow();
});

test("a client that goes away is gone for the server too", async () => {
  const closed = vi.fn();
  const { url } = await balanced((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
    response.once("close", closed);
  });
  const abort = new AbortController();
  await fetch(url, { signal: abort.signal });
  expect(closed).not.toHaveBeenCalled();
  abort.abort();
  await vi.waitFor(() => expect(closed).toHaveBeenCalled());
});

test("a WebSocket passes both ways, and ends on both sides", async () => {
  const { port, servers } = await balanced(says("unused"));
  const ended = vi.fn();
  servers[0]?.server.on("upgrade", (_request, socket: Socket, head: Buffer) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n");
    if (head.length > 0) socket.write(head);
    socket.pipe(socket);
    socket.once("close", ended);
  });

  const client = connect(port, "127.0.0.1");
  open.push(() => client.destroy());
  let heard = "";
  client.on("data", (bytes) => {
    heard += bytes;
  });
  client.write("GET /echo HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n");
  await vi.waitFor(() => expect(heard).toContain("101 Switching Protocols"));
  for (const word of ["first", "second"]) {
    client.write(word);
    await vi.waitFor(() => expect(heard.endsWith(word)).toBe(true));
  }
  client.end();
  await vi.waitFor(() => expect(ended).toHaveBeenCalled());
});

test("a server that is gone is skipped: no request is lost, whatever its method and body", async () => {
  const echo =
    (name: string): Handler =>
    (request, response) => {
      response.setHeader("x-name", name);
      request.pipe(response);
    };
  const { url, servers, ejected } = await balanced(echo("a"), echo("b"));
  servers[0]?.kill();

  const body = "x".repeat(1_000_000);
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const answer = await fetch(url, { method: "POST", body });
      return { status: answer.status, name: answer.headers.get("x-name"), whole: (await answer.text()) === body };
    }),
  );
  expect(answers).toEqual(answers.map(() => ({ status: 200, name: "b", whole: true })));
  expect(ejected).toHaveBeenCalledWith("server-1", false);
});

test("a server that is back at its port gets its share again", async () => {
  const { url, servers, ejected } = await balanced(says("a"), says("b"));
  const [first] = servers;
  first?.kill();
  for (let left = 4; left > 0; left--) expect(await (await fetch(url)).text()).toBe("b");
  first?.server.listen(first.port, "127.0.0.1");
  await vi.waitFor(() => expect(ejected).toHaveBeenCalledWith("server-1", true), 5_000);
  const names = [await (await fetch(url)).text(), await (await fetch(url)).text()];
  expect(names.sort()).toEqual(["a", "b"]);
});

test("a GET whose server dies before it answers is asked of another one; a POST is answered 502", async () => {
  const dies: Handler = (request) => request.socket.destroy();
  const first = await balanced(dies, says("b"));
  expect(await (await fetch(first.url)).text()).toBe("b");

  const second = await balanced(dies, says("b"));
  const answer = await fetch(second.url, { method: "POST", body: "once" });
  expect(answer.status).toBe(502);
  expect(await answer.json()).toEqual({ detail: "the server ended before it answered" });
});

test("without a healthy server requests and upgrades are refused with 503, until one is back", async () => {
  const { url, port, balancer, servers } = await balanced(says("a"));
  servers[0]?.kill();
  for (const method of ["GET", "POST"]) {
    const answer = await fetch(url, { method });
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("1");
    expect(await answer.json()).toEqual({ detail: expect.stringContaining("no server") });
  }
  const upgrade = request({ port, headers: { connection: "Upgrade", upgrade: "websocket" } }).end();
  const [refusal] = (await once(upgrade, "response")) as [IncomingMessage];
  expect(refusal.statusCode).toBe(503);

  const back = await upstream(says("back"));
  balancer.addTarget("server-1", back.port);
  expect(await (await fetch(url)).text()).toBe("back");
});

test("a server whose health check fails gets no requests until it passes again", async () => {
  let healthy = true;
  const sick = createServer((request, response) => {
    response.statusCode = request.url === "/ok" && !healthy ? 503 : 200;
    response.end("sick");
  });
  sick.listen(0, "127.0.0.1");
  await once(sick, "listening");
  open.push(() => sick.close());
  const { url, balancer, ejected } = await balanced(says("well"));
  balancer.addTarget("sick", (sick.address() as AddressInfo).port);
  const names = async () => [await (await fetch(url)).text(), await (await fetch(url)).text()].sort();

  expect(await names()).toEqual(["sick", "well"]);
  healthy = false;
  await vi.waitFor(() => expect(ejected).toHaveBeenCalledWith("sick", false), { timeout: 10_000 });
  expect(await names()).toEqual(["well", "well"]);
  healthy = true;
  await vi.waitFor(() => expect(ejected).toHaveBeenCalledWith("sick", true), { timeout: 10_000 });
  expect(await names()).toEqual(["sick", "well"]);
});

test("a port that is taken is refused with the mend", async () => {
  const { port } = await balanced(says("a"));
  const second = createLoadBalancer(() => {});
  await expect(second.listen(port)).rejects.toThrow(`Port ${port} is taken. Choose another: npm start -- --port`);
  await second.close();
});
