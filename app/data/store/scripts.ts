import { loadScript, type Script } from "../../redis/scripts.js";
import { runScriptFolder } from "../../runs/scripts.js";

export function loadStoreScript(name: string): Script {
  return loadScript(new URL("./lua/", import.meta.url), name, runScriptFolder);
}
