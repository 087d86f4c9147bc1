/** The moves of a run, one Lua script each; `lua/include/queue.lua` draws the states. */
import { loadScript } from "../redis/scripts.js";

const folder = new URL("./lua/", import.meta.url);

export const scripts = {
  createThread: loadScript(folder, "create_thread"),
  enqueue: loadScript(folder, "enqueue"),
  claim: loadScript(folder, "claim"),
  append: loadScript(folder, "append"),
  finish: loadScript(folder, "finish"),
  release: loadScript(folder, "release"),
  cancel: loadScript(folder, "cancel"),
  overrule: loadScript(folder, "overrule"),
  heartbeat: loadScript(folder, "heartbeat"),
  sweep: loadScript(folder, "sweep"),
  listRuns: loadScript(folder, "list_runs"),
};
