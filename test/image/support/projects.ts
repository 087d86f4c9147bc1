/** Users' projects, written out where a test builds them. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

/** The oldest LangGraph that is supported, and what it needs. */
export const oldest = { "@langchain/langgraph": "1.4.0", "@langchain/core": "1.1.48", zod: "4.6.7" };

/** Files by their path, objects as JSON. The folder goes with the test, or when `finished` calls back. */
export async function writeProject(
  files: Record<string, string | object>,
  finished: (remove: () => Promise<void>) => void = onTestFinished,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "switchyard-project-"));
  finished(() => rm(folder, { recursive: true }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), typeof content === "string" ? content : JSON.stringify(content));
  }
  return folder;
}

/** A project as people have them: strict TypeScript, aliases, tools for development, secrets and leftovers beside it. */
export const asPeopleHaveThem = {
  "package.json": {
    name: "concierge",
    type: "module",
    scripts: { prepare: "husky" },
    dependencies: oldest,
    devDependencies: { husky: "9.1.7" },
  },
  "langgraph.json": {
    graphs: { concierge: "./src/agent.ts:graph" },
    ui: { concierge: "./src/ui.tsx" },
    env: ".env",
  },
  "tsconfig.json": { extends: "@tsconfig/node22/tsconfig.json", compilerOptions: { paths: { "@/*": ["./src/*"] } } },
  "src/agent.ts": `
    import { readFileSync } from "node:fs";
    import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
    import { greeting } from "@/greeting.js";
    import { upper } from "./tools/upper";
    import names from "./names.json";

    if (!process.env.MODEL_KEY) throw new Error("MODEL_KEY is missing");
    const prompt: string = readFileSync(new URL("./prompt.md", import.meta.url), "utf8");
    const State = Annotation.Root({ question: Annotation<string>, answer: Annotation<string> });
    export const graph = new StateGraph(State)
      .addNode("reply", ({ question }) => ({ answer: [prompt, greeting, names[0], upper(question)].join(" ") }))
      .addEdge(START, "reply")
      .addEdge("reply", END)
      .compile();`,
  "src/ui.tsx": `
    import "./ui.css";
    export default { card: ({ text }: { text: string }) => <p className="p-4">{text}</p> };`,
  "src/ui.css": '@import "tailwindcss";',
  "src/greeting.ts": `export const greeting: string = "Hello";`,
  "src/tools/upper.ts": `export const upper = (text: string) => text.toUpperCase();`,
  "src/names.json": ["Ada"],
  "src/prompt.md": "Be kind.",
  ".env": "MODEL_KEY=sk-secret-of-the-file",
  "src/.env.local": "MODEL_KEY=sk-secret-of-the-file",
  ".npmrc": "save-exact=true",
  ".git/config": "[remote]",
  "node_modules/leftover/package.json": { name: "leftover" },
};
