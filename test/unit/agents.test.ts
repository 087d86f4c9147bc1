import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { Command, MemorySaver } from "@langchain/langgraph";
import pino from "pino";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { readProject } from "../../app/graphs/config.js";
import { type Graph, type Graphs, loadGraphs, withCheckpointer } from "../../app/graphs/load.js";
import { toJson } from "../../app/graphs/serialize.js";
import { interruptsOf } from "../../app/graphs/state.js";
import { builtApp } from "../support/build.js";
import { invokeInNode } from "../support/projects/invoke.js";

interface Message {
  type: string;
  content: string;
  id: string;
  tool_calls?: unknown[];
}

let graphs: Graphs;
beforeAll(async () => {
  graphs = await loadGraphs(readProject("app/agents/langgraph.json"), pino({ level: "silent" }));
});

const said = (content: unknown) => ({ messages: [{ role: "user", content }] });
const thread = (configurable = {}) => ({ configurable: { thread_id: "t", ...configurable } });

async function agent(id: string): Promise<Graph> {
  return withCheckpointer(await graphs.get(id), new MemorySaver());
}

async function lastMessage(graph: Graph, input: unknown, config: object = thread()): Promise<Message> {
  return JSON.parse(toJson(await graph.invoke(input, { ...config }))).messages.at(-1);
}

async function tokens(graph: Graph, input: unknown, configurable: object): Promise<Message[]> {
  const streamed: Message[] = [];
  for await (const chunk of await graph.stream(input, { ...thread(configurable), streamMode: ["messages"] }))
    streamed.push(JSON.parse(toJson(chunk))[1][0]);
  return streamed;
}

test("every agent says what it is for", () => {
  expect(graphs.ids).toEqual(["echo", "writer", "approval", "research", "chat"]);
  for (const id of graphs.ids) expect(graphs.describe(id)).toMatch(/^\w.*\.$/);
});

describe("echo", () => {
  test("repeats the last message, given as text or as blocks", async () => {
    expect(await lastMessage(await agent("echo"), said("hi"))).toMatchObject({ type: "ai", content: "hi" });
    expect(await lastMessage(await agent("echo"), said([{ type: "text", text: "part" }]))).toMatchObject({
      content: "part",
    });
  });

  test("lets go of a message that a client removes", async () => {
    const graph = await agent("echo");
    await graph.invoke({ messages: [{ role: "user", content: "hi", id: "1" }] }, thread());
    const remove = graph.invoke({ messages: [{ type: "remove", id: "1" }] }, thread());
    expect(JSON.parse(toJson(await remove)).messages).toMatchObject([{ content: "hi" }, { content: "hi" }]);
    await expect(graph.invoke({ messages: [{ type: "remove" }] }, thread())).rejects.toThrow("messages[0] must be");
  });

  test.each([
    [{}, 'there is no message to answer; send {"messages": [{"role": "user", "content": "…"}]}'],
    [said(""), "there is no message to answer"],
    [{ messages: 5 }, 'messages[0] must be {"role": "user", "content": "…"}'],
    [{ messages: null }, 'messages[0] must be {"role": "user", "content": "…"}'],
    [{ messages: [{ role: "user", content: "a" }, { text: "b" }] }, 'messages[1] must be {"role": "user"'],
  ])("%j is answered with what is wrong", async (input, message) => {
    await expect((await agent("echo")).invoke(input, thread())).rejects.toThrow(message);
  });
});

describe("writer", () => {
  test("streams about two hundred tokens that add up to its message", async () => {
    const graph = await agent("writer");
    const streamed = await tokens(graph, said("yards"), { pace_ms: 0 });
    const written = streamed.filter(({ type }) => type === "ai");
    expect(written.length).toBeGreaterThan(180);
    expect(written.length).toBeLessThan(220);
    expect(new Set(written.map(({ id }) => id)).size).toBe(1);

    const { values } = JSON.parse(toJson(await graph.getState(thread())));
    expect(values.messages).toHaveLength(2);
    expect(values.messages[1]).toMatchObject({ type: "ai", content: written.map(({ content }) => content).join("") });
    expect(values.messages[1].content).toContain("“yards”");
  });

  test("writes at the pace that it is given", async () => {
    const started = performance.now();
    await lastMessage(await agent("writer"), said("hi"), thread({ pace_ms: 2 }));
    expect(performance.now() - started).toBeGreaterThan(2 * 180);
    await expect((await agent("writer")).invoke(said("hi"), thread({ pace_ms: "fast" }))).rejects.toThrow(
      "pace_ms must be a number of milliseconds from 0 to 10000",
    );
  });

  test("stops between two tokens when it is cancelled", async () => {
    const stop = new AbortController();
    const heard: string[] = [];
    const callbacks = [
      BaseCallbackHandler.fromMethods({
        handleLLMNewToken: (token) => {
          heard.push(token);
        },
        handleLLMError: () => {
          heard.push("stopped");
        },
      }),
    ];
    const options = { ...thread({ pace_ms: 5000 }), streamMode: ["tasks"], signal: stop.signal, callbacks };
    const run = async () => {
      for await (const _ of await (await agent("writer")).stream(said("hi"), options)) stop.abort();
    };
    await expect(run()).rejects.toThrow(/abort/i);
    await vi.waitFor(() => expect(heard).toEqual(["stopped"]));
  });
});

describe("approval", () => {
  async function asked(): Promise<Graph> {
    const graph = await agent("approval");
    await graph.invoke(said("the budget"), thread());
    return graph;
  }
  const draft = "Thank you for your message. About “the budget”: we have looked into it and agree.";
  const resume = (answer: unknown) => new Command({ resume: answer });
  const questions = async (graph: Graph) => Object.values(interruptsOf(await graph.getState(thread()))).flat();

  test("asks with its draft before it acts", async () => {
    expect(await questions(await asked())).toMatchObject([{ value: { action: "send_reply", draft } }]);
  });

  test.each([
    [{ type: "accept" }, `Sent: ${draft}`],
    ["accept", `Sent: ${draft}`],
    [{ type: "edit", draft: "No." }, "Sent: No."],
    [{ type: "reject" }, "Nothing was sent."],
    [{ type: "reject", reason: "too late" }, "Nothing was sent: too late"],
  ])("the answer %j is acted on", async (answer, content) => {
    const graph = await asked();
    expect(await lastMessage(graph, resume(answer))).toMatchObject({ type: "ai", content });
    expect(await questions(graph)).toEqual([]);
  });

  test("an answer that it doesn't understand is asked for again, and the next one counts", async () => {
    const graph = await asked();
    await graph.invoke(resume({ decision: "yes" }), thread());
    expect(await questions(graph)).toMatchObject([{ value: { draft, problem: expect.stringContaining("accept") } }]);
    expect(await lastMessage(graph, resume("accept"))).toMatchObject({ content: `Sent: ${draft}` });
  });
});

describe("research", () => {
  test("plans, looks up with its tools, and answers with sources", async () => {
    const graph = await agent("research");
    const input = said("What are threads, interrupts and leases?");
    const { messages } = JSON.parse(toJson(await graph.invoke(input, thread())));
    expect(messages[1].content).toBe("I will look up: What are threads; interrupts; leases.");
    expect(messages.filter(({ type }: Message) => type === "tool")).toHaveLength(3);
    const report = messages.at(-1).content;
    expect(report).toContain("A thread is a conversation that is kept");
    expect(report).toMatch(/\[\d: Interrupts and human approval\]/);
    expect(report).toMatch(/\[\d: Workers and leases\]/);
    expect(await lastMessage(await agent("research"), input)).toMatchObject({ content: report });
  });

  test("shows its subgraph to those who stream subgraphs", async () => {
    const nodes = new Set<string>();
    const options = { ...thread(), streamMode: ["updates"], subgraphs: true };
    for await (const chunk of await (await agent("research")).stream(said("streams"), options)) {
      const [namespace, , update] = chunk as [string[], string, object];
      nodes.add([...namespace.map((part) => part.split(":")[0]), ...Object.keys(update)].join("/"));
    }
    expect([...nodes]).toEqual(["plan", "search", "tools", "study/open", "study/note", "study", "report"]);
  });

  test("ends, whatever it is asked", async () => {
    const long = Array.from({ length: 200 }, (_, index) => `thing ${index}`).join(" and ");
    expect(await lastMessage(await agent("research"), said(long))).toMatchObject({
      content: expect.stringMatching(/^I found nothing. The library is about: Threads; /),
    });
    expect(await lastMessage(await agent("research"), said("and, and?"))).toMatchObject({
      content: expect.stringMatching(/^I found nothing/),
    });
  });
});

describe("chat", () => {
  test("without a key it says which variable to set", async () => {
    vi.stubEnv("OPENAI_API_KEY", "");
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    expect(await lastMessage(await agent("chat"), said("hi"))).toMatchObject({
      type: "ai",
      content: expect.stringMatching(/^I can't answer yet: set OPENAI_API_KEY in the environment of the workers/),
    });
  });

  test("with a key it streams what the provider says", async () => {
    const provider = await startProvider(["Good ", "morning"]);
    vi.stubEnv("OPENAI_API_KEY", "sk-test");
    vi.stubEnv("OPENAI_BASE_URL", provider.url);
    vi.stubEnv("OPENAI_MODEL", "a-model");
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const streamed = await tokens(await agent("chat"), said("hi"), {});
    expect(streamed.map(({ content }) => content).join("")).toContain("Good morning");
    expect(provider.asked).toMatchObject([
      { key: "Bearer sk-test", body: { model: "a-model", messages: [{ role: "user", content: "hi" }] } },
    ]);
  });

  /** A provider that speaks as much of OpenAI's API as a streamed answer needs. */
  async function startProvider(words: string[]) {
    const asked: { key: string | undefined; body: unknown }[] = [];
    const server = createServer(async (request, response) => {
      const body: Buffer[] = [];
      for await (const chunk of request) body.push(chunk);
      asked.push({ key: request.headers.authorization, body: JSON.parse(Buffer.concat(body).toString()) });
      response.writeHead(200, { "content-type": "text/event-stream" });
      const choices = [
        ...words.map((content) => ({ index: 0, delta: { role: "assistant", content }, finish_reason: null })),
        { index: 0, delta: {}, finish_reason: "stop" },
      ];
      for (const choice of choices)
        response.write(`data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [choice] })}\n\n`);
      response.end("data: [DONE]\n\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.close();
    });
    return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` };
  }
});

test("all agents together are light, as a role holds them", async () => {
  const config = join(builtApp(), "agents/langgraph.json");
  const { megabytes, output } = await invokeInNode(builtApp(), config, "echo", said("hi"));
  expect(output).toMatchObject({ messages: [{}, { kwargs: { content: "hi" } }] });
  expect(megabytes).toBeLessThan(130);
});
