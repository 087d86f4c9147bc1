/**
 * The moves of a run, one Lua script each; `lua/include/queue.lua` draws the states.
 *
 * At maxmemory Redis refuses a script that may write, unless its flags say `allow-oom`: new runs are refused, but those
 * that were accepted must reach their end.
 */
import { loadScript } from "../redis/scripts.js";

const folder = new URL("./lua/", import.meta.url);

/** For scripts of other rooms that name keys and hold the fence as these do. */
export const runScriptFolder = folder;

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
  nextEvents: loadScript(folder, "next_events"),
  trimEvents: loadScript(folder, "trim_events"),
  listRuns: loadScript(folder, "list_runs"),
  listOpen: loadScript(folder, "list_open"),
  removed: loadScript(folder, "removed"),
  deleteThread: loadScript(folder, "delete_thread"),
  forgetThread: loadScript(folder, "forget_thread"),
  pruneThread: loadScript(folder, "prune_thread"),
  refreshThread: loadScript(folder, "refresh_thread"),
  patchThread: loadScript(folder, "patch_thread"),
  findThreads: loadScript(folder, "find_threads"),
  indexThreads: loadScript(folder, "index_threads"),
  indexLeftovers: loadScript(folder, "index_leftovers"),
  writeState: loadScript(folder, "write_state"),
};
