/** The scripts on a real Redis whose time the test moves, and what Redis holds after each move. */
import type { Redis } from "../../../app/redis/connect.js";
import { loadScript, Script, type ScriptArgument } from "../../../app/redis/scripts.js";
import { runScriptFolder, scripts } from "../../../app/runs/scripts.js";

/** All in one partition: the scripts know no other. */
export const TAG = "{sw:0}";

/** Redis's time can't be moved: the scripts read the test's clock instead, and are otherwise as they are shipped. */
function clocked({ name, source }: Script): Script {
  const clock = `local function clock() return tonumber(redis.call('GET', '${TAG}:clock')) end`;
  const moved = source.replace(/local function clock\(\)[\s\S]*?\nend\n/, `${clock}\n`);
  if (moved.includes("'TIME'")) throw new Error(`${name}.lua reads the time elsewhere than in include/base.lua`);
  return new Script(name, moved);
}

const dataFolder = new URL("../../../app/data/lua/", import.meta.url);
const data = (name: string) => loadScript(dataFolder, name, runScriptFolder);
const moves = {
  ...scripts,
  putCheckpoint: data("put_checkpoint"),
  undoRun: data("undo_run"),
  deleteRun: data("delete_run"),
  deleteHistory: data("delete_history"),
};
export type MoveName = keyof typeof moves;
const clockedMoves = Object.fromEntries(
  Object.entries(moves).map(([name, script]) => [name, clocked(script)]),
) as Record<MoveName, Script>;

/** Every key with what it holds: two round trips a move would tell of less. */
const DUMP = `
local dump = {}
for _, name in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', name).ok
  local held = {}
  if kind == 'hash' then held = redis.call('HGETALL', name)
  elseif kind == 'zset' then held = redis.call('ZRANGE', name, 0, -1, 'WITHSCORES')
  elseif kind == 'list' then held = redis.call('LRANGE', name, 0, -1)
  elseif kind == 'stream' then
    for _, entry in ipairs(redis.call('XRANGE', name, '-', '+')) do held[#held + 1] = entry[1] .. ' ' .. entry[2][2] end
  end
  dump[#dump + 1] = { name, unpack(held) }
end
return dump`;

export class Real {
  constructor(
    private readonly app: Redis,
    private readonly admin: Redis,
  ) {}

  async call(move: MoveName, key: string, ...args: ScriptArgument[]): Promise<unknown> {
    return await clockedMoves[move].run(this.app, `${TAG}:${key}`, ...args);
  }

  async setClock(ms: number): Promise<void> {
    await this.app.set(`${TAG}:clock`, ms);
  }

  /** A worker took a wake token and died with it. */
  async loseToken(graph: string): Promise<void> {
    await this.app.lpop(`${TAG}:wake:${graph}`);
  }

  async reset(now: number): Promise<void> {
    await this.admin.flushall();
    await this.setClock(now);
  }

  /** By key without its tag, as `kind` and the ids after it. */
  async dump(): Promise<Map<string, string[]>> {
    const dump = (await this.admin.eval(DUMP, 0)) as string[][];
    return new Map(dump.map(([name = "", ...held]) => [name.slice(TAG.length + 1), held]));
  }
}
