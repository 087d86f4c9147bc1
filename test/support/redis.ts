/** A Redis of a test file's own: real, empty, on a free port, gone with the test process however that ends. */
import { resolveRedisBinary } from "../../app/local/redisBinary.js";
import { type RedisServer, type RedisServerOptions, startRedisServer } from "../../app/local/redisServer.js";

/**
 * @param options.args flags of redis-server, such as `["--maxmemory", "50mb"]`
 * @param options.port exactly this one: of a server that comes back. @param options.dataFolder what it comes back with
 */
export async function startRedis(
  options: Pick<RedisServerOptions, "args" | "port" | "dataFolder"> = {},
): Promise<RedisServer> {
  return await startRedisServer(await resolveRedisBinary(() => {}), options);
}
