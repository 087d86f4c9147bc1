/**
 * What `docker build` would make of app/Dockerfile, step by step in folders of their own (support/dockerfile.ts), and
 * whether both roles start from exactly that, as nobody and without a place to write to.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { asApp } from "../support/acl.js";
import { startRedis } from "../support/redis.js";
import { Builder, type Image, parseDockerfile } from "./support/dockerfile.js";
import { asPeopleHaveThem, oldest, writeProject } from "./support/projects.js";
import { type RunningRole, startRole } from "./support/role.js";

const root = join(import.meta.dirname, "../..");
const dockerfile = readFileSync(join(root, "app/Dockerfile"), "utf8");

let builder: Builder;
beforeAll(() => {
  builder = new Builder(dockerfile, root);
});
afterAll(() => builder.remove());

const buildOf = (agents: string, more = {}) => builder.build({ contexts: { agents }, ...more });

/** A graph that does next to nothing, in JavaScript. */
const smallest = `
  import { Annotation, START, StateGraph } from "@langchain/langgraph";
  const State = Annotation.Root({ answer: Annotation() });
  export const graph = new StateGraph(State).addNode("reply", () => ({ answer: "yes" })).addEdge(START, "reply").compile();`;

/** Both roles as the image starts them, with nothing that they may write to, on a Redis of their own. */
async function startBoth(image: Image, environment: Record<string, string> = {}): Promise<Record<string, RunningRole>> {
  await promisify(execFile)("chmod", ["-R", "a-w", image.folder]);
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const [program, main = ""] = image.entrypoint;
  expect(program).toBe("node");
  const start = async (role: "server" | "worker") => {
    const running = await startRole({
      main: join(image.folder, main),
      role,
      environment: { ...image.environment, REDIS_URL: await asApp(redis.url), ...environment },
      folder: image.workdir,
      uid: Number(image.user.split(":")[0]),
    });
    onTestFinished(async () => {
      await running.stop();
    });
    return running;
  };
  return { server: await start("server"), worker: await start("worker") };
}

async function ask(server: RunningRole | undefined, assistant: string, input: unknown): Promise<unknown> {
  const response = await fetch(`${server?.url}/runs/wait`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ assistant_id: assistant, input }),
  });
  return await response.json();
}

async function filesOf(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).filter((path) => !path.includes("node_modules/"));
}

const installed = async (folder: string) => {
  const names = await readdir(join(folder, "node_modules"));
  const scoped = names.filter((name) => name.startsWith("@"));
  const inScopes = scoped.map(async (scope) =>
    (await readdir(join(folder, "node_modules", scope))).map((name) => `${scope}/${name}`),
  );
  return [...names.filter((name) => !/^[@.]/.test(name)), ...(await Promise.all(inScopes)).flat()];
};

test("the bundled agents run in the image, as nobody, with a read-only root, and drain", {
  timeout: 120_000,
}, async () => {
  const image = await buildOf(join(root, "app/agents"));
  const { server, worker } = await startBoth(image);
  expect(await ask(server, "echo", { messages: [{ role: "user", content: "hello" }] })).toMatchObject({
    messages: [{ content: "hello" }, { type: "ai", content: "hello" }],
  });
  expect(existsSync(join(image.folder, "agents/.switchyard/schemas.json"))).toBe(true);
  expect((await fetch(`${server?.url}/assistants/echo/schemas`)).status).toBe(200);
  expect(server?.output()).not.toContain("schemas_read");
  for (const file of ["/docs", "/docs/page.js", "/docs/swagger-ui-bundle.js"])
    expect((await fetch(`${server?.url}${file}`)).status).toBe(200);
  expect(await server?.stop()).toBe(0);
  expect(await worker?.stop()).toBe(0);
  if (process.getuid?.() === 0) expect(image.user).toBe("65534:65534");
});

test("the app brings what it imports, and neither Pulumi nor a graph library of its own", {
  timeout: 120_000,
}, async () => {
  const image = await buildOf(join(root, "app/agents"));
  const packages = await installed(join(image.folder, "switchyard"));
  expect(packages).toEqual(expect.arrayContaining(["express", "ioredis", "zod"]));
  expect(packages.filter((name) => /pulumi|langchain|langgraph|vitest|typescript|biome/.test(name))).toEqual([]);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(JSON.parse(readFileSync(join(image.folder, "switchyard/package.json"), "utf8"))).toMatchObject({ version });
  expect(await readdir(join(image.folder, "switchyard"))).not.toContain("local");
});

test("a user's project runs in its own versions, compiled, without its secrets", { timeout: 120_000 }, async () => {
  const image = await buildOf(await writeProject(asPeopleHaveThem), {
    args: { AGENT_ENVIRONMENT: "OTHER_KEY,MODEL_KEY" },
  });
  const agents = join(image.folder, "agents");
  const { version } = JSON.parse(readFileSync(join(agents, "node_modules/@langchain/langgraph/package.json"), "utf8"));
  expect(version).toBe(oldest["@langchain/langgraph"]);
  const packages = await installed(agents);
  expect(packages).not.toContain("husky");
  expect(packages).not.toContain("leftover");
  const files = await filesOf(agents);
  expect(files).toEqual(expect.arrayContaining(["src/agent.js", "src/prompt.md"]));
  expect(files.filter((file) => /\.env|\.git|\.npmrc|\.tsx?$/.test(file))).toEqual([]);

  const { server } = await startBoth(image, { MODEL_KEY: "of the deployment" });
  expect(await (await fetch(`${server?.url}/ui/concierge/entrypoint.css`)).text()).toContain(".p-4");
  expect(await ask(server, "concierge", { question: "why?" })).toMatchObject({ answer: "Be kind. Hello Ada WHY?" });
});

test("a graph that doesn't load fails the build by its name", { timeout: 120_000 }, async () => {
  const broken = await writeProject({
    "package.json": { type: "module", dependencies: oldest },
    "langgraph.json": { graphs: { fine: "./fine.js:graph", unlucky: "./unlucky.ts:graph" } },
    "fine.js": smallest,
    "unlucky.ts": `import { missing } from "not-installed"; export const graph = missing;`,
  });
  await expect(buildOf(broken)).rejects.toThrow(/graphs\.unlucky: .*not-installed/);
});

test("what runs, runs on the machine that builds; the last stage only copies, and is nobody's", () => {
  const { args, stages } = parseDockerfile(dockerfile);
  const builds = stages.slice(0, -1);
  const last = stages.at(-1);
  const native = (name: string): boolean => {
    const stage = stages.find((each) => each.name === name);
    return stage !== undefined && (stage.platform === "$BUILDPLATFORM" || native(stage.base));
  };
  expect(builds.map(({ name }) => native(name))).not.toContain(false);
  expect(last?.platform).toBeUndefined();
  expect(last?.instructions.map(({ name }) => name)).not.toContain("RUN");
  expect(last?.instructions.find(({ name }) => name === "USER")?.text).toBe("65534:65534");
  expect(args.map(({ text }) => text)).toEqual([expect.stringMatching(/^NODE=node:24-/)]);
  expect([...new Set(stages.map(({ base }) => base))]).toEqual(["$NODE", "app"]);
});

test("a variable that a step uses is declared in its stage", () => {
  for (const { instructions } of parseDockerfile(dockerfile).stages) {
    const declared = instructions.filter(({ name }) => name === "ARG").map(({ text }) => text.split("=")[0]);
    const runs = instructions.filter(({ name }) => name === "RUN").map(({ text }) => text.replace(/'[^']*'/g, ""));
    const used = runs.flatMap((text) => [...text.matchAll(/\$([A-Z_]+)/g)].map(([, name]) => name));
    expect(declared).toEqual(expect.arrayContaining(used));
  }
});

test("every copied path exists, and only what the ignore file lets in is copied", () => {
  const allowed = readFileSync(join(root, "app/Dockerfile.dockerignore"), "utf8").match(/^!.*$/gm) ?? [];
  const copied = parseDockerfile(dockerfile)
    .stages.flatMap(({ instructions }) => instructions)
    .filter(({ name, flags }) => name === "COPY" && flags.from === undefined)
    .flatMap(({ text }) => text.split(" ").slice(0, -1));
  expect(copied.map((path) => `!${path}`).sort()).toEqual([...allowed].sort());
  expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});
