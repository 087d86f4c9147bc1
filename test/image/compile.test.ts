/** A user's TypeScript as the image holds it: what tsx would have run, as JavaScript that Node.js runs alone. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { dependenciesOf } from "../../app/image/app.js";
import { compileProject } from "../../app/image/compile.js";
import { writeProject } from "./support/projects.js";

const run = async (file: string) => (await promisify(execFile)(process.execPath, [file])).stdout.trim();

test("imports find their files however they are written, and modules know their place", async () => {
  const folder = await writeProject({
    "package.json": { type: "module" },
    "tsconfig.json": { compilerOptions: { paths: { "@/*": ["./src/*"] } } },
    "src/main.ts": `
      import { readFileSync } from "node:fs";
      import { bare } from "./parts/bare";
      import { named } from "./parts/named.js";
      import { exact } from "./parts/exact.mts";
      import { aliased } from "@/aliased";
      import { index } from "./parts";
      import data from "./data.json";
      import type { Missing } from "./only-types.js";
      const { lazy }: Record<string, string> = await import("./parts/lazy.jsx");
      const beside: string = readFileSync(new URL("./beside.txt", import.meta.url), "utf8");
      console.log([bare, named, exact, aliased, index, data.word, lazy, beside satisfies Missing | string].join(" "));`,
    "src/parts/bare.ts": `export const bare = "bare";`,
    "src/parts/named.ts": `export const named = "named";`,
    "src/parts/exact.mts": `export const exact = "exact";`,
    "src/parts/index.ts": `export const index = "index";`,
    "src/parts/lazy.tsx": `export const lazy = "lazy";`,
    "src/aliased.ts": `export const aliased = "aliased";`,
    "src/only-types.ts": "export type Missing = string;",
    "src/declared.d.ts": "declare const declared: string;",
    "src/data.json": { word: "data" },
    "src/beside.txt": "beside",
  });
  await compileProject(folder);
  expect(await run(join(folder, "src/main.js"))).toBe("bare named exact aliased index data lazy beside");
  expect(existsSync(join(folder, "src/main.ts"))).toBe(false);
  expect(existsSync(join(folder, "src/declared.d.ts"))).toBe(true);
});

test("TypeScript of a CommonJS package stays CommonJS", async () => {
  const folder = await writeProject({
    "package.json": {},
    "main.ts": `import { part } from "./part"; export const place = import.meta.dirname; console.log(part, place);`,
    "part.cts": `export const part = "wrong";`,
    "part.ts": `export const part: string = "part";`,
  });
  await compileProject(folder);
  expect(await run(join(folder, "main.js"))).toBe(`part ${folder}`);
  expect(readFileSync(join(folder, "part.cjs"), "utf8")).toContain("module.exports");
});

test("a syntax error names its file and line", async () => {
  const folder = await writeProject({ "package.json": {}, "src/broken.ts": "const fine = 1;\nconst = 2;" });
  await expect(compileProject(folder)).rejects.toThrow(/src\/broken\.ts:2:/);
});

test("the bundled agents' package.json names what they import, in the root's versions", async () => {
  const { dependencies } = JSON.parse(readFileSync("app/agents/package.json", "utf8"));
  const graphs: { path: string }[] = Object.values(
    JSON.parse(readFileSync("app/agents/langgraph.json", "utf8")).graphs,
  );
  const needed = await Promise.all(
    graphs.map(({ path }) => dependenciesOf(join("app/agents", path.split(":")[0] ?? ""))),
  );
  expect(dependencies).toEqual(Object.assign({}, ...needed));
});
