/** The document that clients are made from says what the server does: every route, every status, and nothing else. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Started, startServer } from "./support.js";

interface Content {
  schema: Record<string, unknown>;
}
interface Answer {
  $ref?: string;
  content?: Record<string, Content>;
  headers?: Record<string, unknown>;
}
interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  security?: object[];
  requestBody?: { required: boolean };
  responses: Record<string, Answer>;
}
interface Document {
  openapi: string;
  tags: { name: string }[];
  security?: object[];
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, unknown>;
    responses: Record<string, Answer>;
    securitySchemes: object;
  };
}

let at: Started;
let document: Document;
let operations: { name: string; operation: Operation }[];
beforeAll(async () => {
  at = await startServer({ environment: { TRUNCATE_ROUTE: "true" } });
  document = (await (await fetch(`${at.url}/openapi.json`)).json()) as Document;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
  );
});
afterAll(() => at.close());

test("describes every route, and nothing else", () => {
  const routes = at.server.app.router.stack.flatMap(({ route }) => {
    const methods: Record<string, boolean> = Object(route).methods ?? {};
    return Object.keys(methods).map((method) => `${method} ${route?.path.replace(/:(\w+)/g, "{$1}")}`);
  });
  expect(operations.map(({ name }) => name).sort()).toEqual(routes.sort());
  expect(routes.length).toBeGreaterThan(40);
  expect(document.openapi).toBe("3.1.0");
  expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(["Run", "Thread", "Assistant"]));
});

test("names each operation once, and files it under a tag that it explains", () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const tags = new Set(document.tags.map(({ name }) => name));
  for (const { name, operation } of operations) {
    expect(operation.summary, name).toMatch(/\w/);
    expect([...tags], name).toEqual(expect.arrayContaining(operation.tags));
  }
});

test("holds no reference that leads nowhere", () => {
  const text = JSON.stringify(document);
  const references = [...text.matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)];
  expect(references.length).toBeGreaterThan(100);
  const components = document.components as unknown as Record<string, Record<string, unknown>>;
  for (const [reference, kind = "", name = ""] of references) expect(components[kind]?.[name], reference).toBeDefined();
});

describe("an operation", () => {
  const find = (method: string, path: string) => {
    const operation = document.paths[path]?.[method];
    if (!operation) throw new Error(`no ${method} ${path}`);
    return operation;
  };

  test("has its fields and their values", () => {
    expect(document.components.schemas.ThreadRunCreate).toMatchObject({
      required: ["assistant_id"],
      properties: {
        multitask_strategy: { enum: ["enqueue", "reject", "interrupt", "rollback", null] },
        metadata: { type: ["object", "null"] },
      },
    });
    expect(find("post", "/threads").requestBody?.required).toBe(false);
    expect(find("post", "/runs").requestBody?.required).toBe(true);
  });

  test("has all its refusals, each a sentence", () => {
    const stream = find("post", "/threads/{thread_id}/runs/stream");
    expect(Object.keys(stream.responses)).toEqual([
      "200",
      "400",
      "401",
      "404",
      "409",
      "413",
      "414",
      "415",
      "422",
      "429",
      "431",
      "500",
      "503",
    ]);
    const refusal = { "application/json": { schema: { $ref: "#/components/schemas/Refusal" } } };
    for (const { name, operation } of operations)
      for (const [status, { $ref, ...answer }] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue;
        const told = $ref ? document.components.responses[$ref.split("/").at(-1) ?? ""] : answer;
        expect(told?.content, `${name} ${status}`).toEqual(refusal);
        if (status === "503" || status === "429") expect(told?.headers, name).toHaveProperty("Retry-After");
      }
  });

  test("that streams says so, and where its client goes on", () => {
    for (const { name, operation } of operations) {
      if (!name.endsWith("/stream")) continue;
      expect(Object.keys(operation.responses["200"]?.content ?? {}), name).toEqual(["text/event-stream"]);
    }
    const { headers } = find("post", "/runs/stream").responses["200"] ?? {};
    expect(Object.keys(headers ?? {})).toEqual(["Content-Location", "Location"]);
    const search = find("post", "/assistants/search").responses["200"];
    expect(Object.keys(search?.headers ?? {})).toEqual(["X-Pagination-Total", "X-Pagination-Next"]);
  });
});

test("asks for a key where the server does, but not to learn what it is", async () => {
  expect(document.security).toBeUndefined();
  const keyed = await startServer({
    environment: { API_KEY_HASHES: createHash("sha256").update("key").digest("hex") },
  });
  try {
    const { security, components, paths } = (await (await fetch(`${keyed.url}/openapi.json`)).json()) as Document;
    expect(security).toEqual([{ apiKey: [] }, { bearer: [] }]);
    expect(Object.keys(components.securitySchemes)).toEqual(["apiKey", "bearer"]);
    for (const path of ["/ok", "/info", "/openapi.json"]) expect(paths[path]?.get?.security).toEqual([]);
    expect(paths["/threads"]?.post?.security).toBeUndefined();
  } finally {
    await keyed.close();
  }
});
