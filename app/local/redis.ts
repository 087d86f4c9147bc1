/** The Redis of the local topology: the user's (REDIS_URL), else a server of ours that is kept up while it is wanted. */
import { setTimeout as pause } from "node:timers/promises";
import { connect, type RedisLogin, ready } from "../redis/connect.js";
import { createLog } from "../telemetry/log.js";
import { type Progress, StartFailure } from "./failure.js";
import { LEAST_MAJOR, type RedisBinary } from "./redisBinary.js";
import { startRedisServer } from "./redisServer.js";

export interface LocalRedis {
  url: string;
  stop(): Promise<void>;
}

const RESTART_MS = { first: 250, most: 10_000 };

/**
 * Starts a server of ours and brings it back on its port when it crashes; the roles reconnect by themselves.
 * @param dataFolder keeps the data; without it a crash loses them
 * @param tell what the user should know once it runs
 * @throws StartFailure as startRedisServer
 */
export async function keepRedis(
  binary: RedisBinary,
  dataFolder: string | undefined,
  tell: Progress,
): Promise<LocalRedis> {
  let server = await startRedisServer(binary, { dataFolder, onWarning: tell });
  const { url, port } = server;
  const stopping = new AbortController();

  const keepUp = async () => {
    for (let pauseMs = RESTART_MS.first; ; pauseMs = Math.min(pauseMs * 2, RESTART_MS.most)) {
      const how = await server.ended;
      if (stopping.signal.aborted) return;
      tell(`ended (${how})${dataFolder ? "" : ", its data are lost"}; starting it again in ${pauseMs / 1000} s`);
      await pause(pauseMs, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
      try {
        server = await startRedisServer(binary, { port, dataFolder, onWarning: tell });
        tell("back");
      } catch (error) {
        tell(error instanceof Error ? error.message : String(error));
      }
    }
  };
  const kept = keepUp();

  return {
    url,
    async stop() {
      stopping.abort();
      await server.stop();
      await kept;
      // A restart may have been under way when stop was called.
      await server.stop();
    },
  };
}

/**
 * Makes sure that the user's Redis answers and is new enough, with the login that the roles will use.
 * @throws StartFailure 3 that names the host, never the credentials
 */
export async function checkRedis(login: RedisLogin, waitMs: number): Promise<void> {
  const { host } = new URL(login.url);
  const redis = connect(login, "request", createLog("silent", { instance: "npm start", role: "start" }));
  try {
    await ready(redis, waitMs);
    const version = /redis_version:((\d+)\S*)/.exec(await redis.info("server"));
    if (version && Number(version[2]) < LEAST_MAJOR)
      throw new StartFailure(3, `Redis ${version[1]} at ${host} is too old: ${LEAST_MAJOR} or newer is needed.`);
  } catch (error) {
    if (error instanceof StartFailure) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartFailure(
      3,
      `The Redis of REDIS_URL, ${host}, does not answer: ${/RESP/.test(reason) ? "what listens there is no Redis" : reason}. ` +
        "Start it, correct REDIS_URL, or unset it and npm start runs a Redis of its own.",
    );
  } finally {
    redis.disconnect();
  }
}
