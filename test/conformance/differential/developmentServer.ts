/** A process that runs LangChain's development server: `[folder of its files, JSON of graph id → path and export]`. */
import { startServer } from "@langchain/langgraph-api/server";

const [folder, graphs] = process.argv.slice(2);
if (!folder || !graphs) throw new Error("developmentServer.ts FOLDER GRAPHS");
// Of its workers each takes one run at a time, and looks for it once in a while: with many, some one looks soon.
const { host } = await startServer({
  port: 0,
  nWorkers: 40,
  host: "127.0.0.1",
  cwd: folder,
  graphs: JSON.parse(graphs),
});
process.send?.({ url: `http://${host}` });
// It has nothing to keep: the folder goes with the test.
process.once("disconnect", () => process.exit());
