/** A Redis of a test file's own: real, empty, on a free port, gone with the test process however that ends. */
import { resolveRedisBinary } from "../../app/local/redisBinary.js";
import { type RedisServer, startRedisServer } from "../../app/local/redisServer.js";

/** @param options.args flags of redis-server, such as `["--maxmemory", "50mb"]` */
export async function startRedis(options: { args?: string[] } = {}): Promise<RedisServer> {
  return await startRedisServer(await resolveRedisBinary(() => {}), options);
}
