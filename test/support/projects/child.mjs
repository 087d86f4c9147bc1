/** In a process of its own, as a role has it: loads a project with the compiled app, invokes a graph, tells what it saw. */
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    app: { type: "string" },
    config: { type: "string" },
    graph: { type: "string" },
    input: { type: "string" },
  },
});
const silent = { info() {}, warn() {} };
const { readProject } = await import(`${values.app}/graphs/config.js`);
const { loadGraphs, withCheckpointer } = await import(`${values.app}/graphs/load.js`);

const graphs = await loadGraphs(readProject(values.config), silent);
const megabytes = process.memoryUsage().rss / 1e6;
const graph = withCheckpointer(await graphs.get(values.graph), undefined);
const output = await graph.invoke(JSON.parse(values.input));

const required = createRequire(values.config);
const commonJs = required.cache[required.resolve("@langchain/langgraph")]?.exports;
const copies = commonJs === undefined || commonJs.Command === graphs.runtime.Command ? 1 : 2;
process.stdout.write(JSON.stringify({ output, megabytes, copies, module: commonJs ? "commonjs" : "esm" }));
