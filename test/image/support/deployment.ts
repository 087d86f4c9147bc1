/**
 * The app as a stack deploys it, on this machine: the environment of its containers, a Valkey behind TLS that knows only
 * the app's user with its access string (the user `default` is off), and the hash of an API key.
 *
 * What a stack can't know here is put in its place: the address, the authority of its certificate (AWS's is a public one),
 * the values of the secrets, and free ports.
 */
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { Redis } from "ioredis";
import { onTestFinished } from "vitest";
import { builtApp } from "../../support/build.js";
import { startRedis } from "../../support/redis.js";
import { type RunningRole, startRole } from "./role.js";
import { startTlsProxy } from "./tls.js";

export interface Container {
  environment: Record<string, string>;
  /** Names of what comes from Secrets Manager. */
  secrets: string[];
}

export interface Deployment {
  server: Container;
  worker: Container;
  /** Of the app's Redis user. @example "on ~sw:* +@all" */
  accessString: string;
}

export interface Deployed {
  server: RunningRole;
  worker: RunningRole;
  apiKey: string;
  /** With which another server would join. */
  serverEnvironment: NodeJS.ProcessEnv;
}

/** It goes with the test. */
export async function deploy({ server, worker, accessString }: Deployment): Promise<Deployed> {
  const main = join(builtApp(), "main.js");
  const secret = () => randomBytes(24).toString("hex");
  const apiKey = secret();
  const secrets: Record<string, string> = {
    REDIS_PASSWORD: secret(),
    API_KEY_HASHES: createHash("sha256").update(apiKey).digest("hex"),
  };
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  await admit(redis.url, server.environment.REDIS_USERNAME ?? "", accessString, secrets.REDIS_PASSWORD ?? "");
  const proxy = await startTlsProxy(redis.port);
  onTestFinished(() => proxy.stop());

  const complete = ({ environment, secrets: names }: Container): NodeJS.ProcessEnv => ({
    LANGGRAPH_CONFIG_FILE: join(builtApp(), "agents/langgraph.json"),
    ...environment,
    ...Object.fromEntries(names.map((name) => [name, secrets[name]])),
    REDIS_URL: proxy.url,
    REDIS_CA_FILE: proxy.caFile,
    PORT: "0",
    HEALTH_PORT: "0",
  });
  const start = async (role: "server" | "worker", container: Container) => {
    const running = await startRole({ main, role, environment: complete(container) });
    onTestFinished(async () => {
      await running.stop();
    });
    return running;
  };
  const [runningServer, runningWorker] = await Promise.all([start("server", server), start("worker", worker)]);
  return { server: runningServer, worker: runningWorker, apiKey, serverEnvironment: complete(server) };
}

async function admit(url: string, user: string, accessString: string, password: string): Promise<void> {
  const admin = new Redis(url);
  await admin.call("ACL", "SETUSER", user, ...accessString.split(" "), `>${password}`);
  await admin.call("ACL", "SETUSER", "default", "off", "-@all");
  admin.disconnect();
}
