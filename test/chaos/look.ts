/** Looks into Redis: at one partition while load runs, and at everything once all is quiet. */
import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "ioredis";
import { Keys, PARTITIONS } from "../../app/redis/partitions.js";
import { digest } from "./client.js";
import type { RedisForm } from "./forms.js";
import type { Audit, History, Sample, StoredCheckpoint, StoredEvent, StoredRun } from "./history.js";

const SAMPLE_EVERY_MS = 100;
const LOOK_MS = 1_000;
const keys = new Keys("sw");

/** In one step, so that no run is seen on its way from one queue to the next. */
const PARTITION = `#!lua
local tag = string.match(KEYS[1], '^{[^}]*}')
local places, leased, ready, misplaced = {}, 0, {}, {}
local function put(run, place)
  places[run] = places[run] and places[run] .. '+' .. place or place
end
for _, run in ipairs(redis.call('ZRANGE', tag .. ':leases', 0, -1)) do put(run, 'leases'); leased = leased + 1 end
for _, run in ipairs(redis.call('ZRANGE', tag .. ':delayed', 0, -1)) do put(run, 'delayed') end
for _, queue in ipairs(redis.call('KEYS', tag .. ':ready:*')) do
  for _, run in ipairs(redis.call('ZRANGE', queue, 0, -1)) do
    put(run, 'ready')
    ready[#ready + 1] = { run, tonumber(redis.call('HGET', tag .. ':run:' .. run, 'attempt') or 0) }
  end
end
for _, queue in ipairs(redis.call('KEYS', tag .. ':waiting:*')) do
  for _, member in ipairs(redis.call('ZRANGE', queue, 0, -1)) do put(string.match(member, ':(.*)$'), 'waiting') end
end
for _, record in ipairs(redis.call('KEYS', tag .. ':run:*')) do
  local run = string.sub(record, #tag + 6)
  local status, place = redis.call('HGET', record, 'status'), places[run] or 'no queue'
  places[run] = nil
  local fits
  if status == 'running' then fits = place == 'leases'
  elseif status == 'pending' then fits = place == 'ready' or place == 'waiting' or place == 'delayed'
  else fits = place == 'no queue' end
  if not fits then misplaced[#misplaced + 1] = 'run ' .. run .. ' is ' .. status .. ' and in ' .. place end
end
for run, place in pairs(places) do misplaced[#misplaced + 1] = 'run ' .. run .. ' has no record and is in ' .. place end
local time = redis.call('TIME')
return cjson.encode({ at = time[1] * 1000 + math.floor(time[2] / 1000), leased = leased,
  ready = #ready > 0 and ready or nil, misplaced = #misplaced > 0 and misplaced or nil })`;

/** Until `stopped`: partition by partition. What can't be asked because Redis is away is asked again later. */
export async function takeSamples(form: RedisForm, history: History, stopped: AbortSignal): Promise<void> {
  for (let turn = 0; !stopped.aborted; turn++) {
    const partition = turn % PARTITIONS;
    const sample = await lookAt(form, partition).catch(() => undefined);
    if (sample) history.samples.push(sample);
    await delay(SAMPLE_EVERY_MS);
  }
}

async function lookAt(form: RedisForm, partition: number): Promise<Sample | undefined> {
  const key = keys.in(partition, "leases");
  for (const node of await form.masters()) {
    // A connection that is given up while it is being made anew never answers.
    const answer = await Promise.race([node.eval(PARTITION, 1, key).catch(() => undefined), delay(LOOK_MS)]);
    if (answer === undefined) continue;
    const look = JSON.parse(String(answer)) as Partial<Sample> & Pick<Sample, "at" | "leased">;
    return { ready: [], misplaced: [], ...look, partition };
  }
  return undefined;
}

const QUEUES = /^\{[^}]*\}:(leases|delayed|cancels|removals|ready:.*|waiting:.*)$/;

/** Whether no run is open, nothing is being removed. */
export async function isQuiet(form: RedisForm): Promise<boolean> {
  for (const node of await form.masters())
    for (const key of await node.keys("*")) if (QUEUES.test(key) && (await node.zcard(key)) > 0) return false;
  return true;
}

/** @param url of the load balancer: what users are told is audited, too */
export async function audit(form: RedisForm, url: string): Promise<Audit> {
  const found: Audit = {
    at: Date.now(),
    runs: {},
    streams: {},
    threads: {},
    queues: {},
    keys: {},
    checkpoints: {},
    steps: {},
  };
  for (const node of await form.masters()) for (const key of await node.keys("{sw:*")) await readKey(node, key, found);
  for (const threadId of Object.keys(found.threads)) {
    const response = await fetch(`${url}/threads/${threadId}/state`);
    const state = (await response.json()) as { values?: { steps?: string[] } };
    if (!response.ok) throw new Error(`the state of thread ${threadId} can't be read: ${response.status}`);
    found.steps[threadId] = state.values?.steps ?? [];
  }
  return found;
}

async function readKey(node: Redis, key: string, found: Audit): Promise<void> {
  found.keys[key] = await node.pttl(key);
  const [, kind = "", id = "", namespace] = /^\{[^}]*\}:([^:]+):?([^:]*):?(.*)$/.exec(key) ?? [];
  if (kind === "run") found.runs[id] = storedRun(await node.hgetall(key));
  if (kind === "thread") {
    const { status = "", active = "", open } = await node.hgetall(key);
    found.threads[id] = { status, active, open: Number(open) };
  }
  if (kind === "events") found.streams[id] = (await node.xrange(key, "-", "+")).map((entry) => storedEvent(entry));
  if (QUEUES.test(key)) found.queues[key] = await node.zrange(key, "0", "-1");
  if (kind === "checkpoints" && namespace === "") found.checkpoints[id] = await authors(node, key, id);
}

function storedRun(fields: Record<string, string>): StoredRun {
  const { status = "", strategy = "", lifetime = "", place = "", error } = fields;
  return {
    ...{ threadId: fields.thread_id ?? "", status, strategy, lifetime, place },
    ...{ attempt: Number(fields.attempt), failures: Number(fields.failures), due: Number(fields.due) },
    ...{ createdAt: Number(fields.created_at), updatedAt: Number(fields.updated_at), ...(error && { error }) },
  };
}

function storedEvent([id, fields]: [string, string[]]): StoredEvent {
  const [, event = "", , number = "", , data = "", , status] = fields;
  return { id, event, number: Number(number), data: digest(data), ...(status && { status }) };
}

/** Who stored each checkpoint, as `app/data/lua/put_checkpoint.lua` packs it. */
const AUTHORS = `#!lua
local authors = {}
for at, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(0', '+inf')) do
  local packed = redis.call('HGET', string.match(KEYS[1], '^{[^}]*}') .. ':checkpoint:' .. ARGV[1] .. ':' .. id .. ':', 'author')
  local author = packed and cmsgpack.unpack(packed) or {}
  authors[at] = { id, author[1] or '', tostring(author[2] or ''), author[3] or '' }
end
return authors`;

async function authors(node: Redis, key: string, history: string): Promise<StoredCheckpoint[]> {
  const rows = (await node.eval(AUTHORS, 1, key, history)) as [string, string, string, string][];
  return rows.map(([id, run, attempt, owner]) => ({
    id,
    ...(run !== "" && { run, attempt: Number(attempt), owner }),
  }));
}
