/**
 * What an asynchronous failover may lose is what no replica had yet. `confirm` waits until one has a write, so that what
 * was answered is rarely lost, and counts what it could not confirm in time; it refuses nothing.
 *
 * WAIT blocks its connection, so it runs on one of its own to the node that took the write. It speaks only of what its own
 * connection wrote (measured: after a PING, a GET or a script without writes it answers `1` at once while the replica
 * stands still, after a SET `0`), so a mark is written before it: replicas that have the mark have all that came before.
 * One WAIT is under way a node; what comes meanwhile shares the next. A node without replicas has no such connection.
 */
import type { Redis as Standalone } from "ioredis";
import type { Log } from "../telemetry/log.js";
import { connectNode, type Redis, type RedisLogin } from "./connect.js";
import { infoNumber, nodeOf, writableNodes } from "./nodes.js";

const WAIT_MS = 100;
/** How soon a replica that came or went is noticed. */
const LOOK_MS = 2_000;
/** Also where memory is used up: the mark says nothing about the write before it otherwise. Its key goes by itself. */
const MARK = "#!lua flags=allow-oom\nredis.call('SET', KEYS[1], '', 'PX', 60000)";

/** What was written; the log names the run. */
export interface Write {
  runId: string;
  what: "enqueue" | "cancel" | "checkpoint" | "end";
}

/**
 * Resolves when a replica has what was written to the partition of `key` before, or when it is known not to have it in
 * time. Never rejects.
 */
export type Confirm = (key: string, write: Write) => Promise<void>;

export interface Replication {
  confirm: Confirm;
  /** Writes that no replica had in time, since the start. */
  readonly unconfirmed: number;
  stop(): void;
}

/** @param commands the connection of the writes @param login to open one to each node that has replicas */
export async function startReplication(commands: Redis, login: RedisLogin, log: Log): Promise<Replication> {
  const replicated = new Map<string, ReplicatedNode>();
  let unconfirmed = 0;
  const onUnconfirmed = (writes: Write[], reason: string) => {
    unconfirmed += writes.length;
    const runs = [...new Set(writes.map(({ runId }) => runId))];
    const kinds = [...new Set(writes.map(({ what }) => what))];
    const entry = { event: "unconfirmed_writes", runs, kinds, writes: writes.length, total: unconfirmed, reason };
    log.warn(entry, "no replica has these writes yet; a failover now would lose them");
    // There may be none any more: then nobody is to wait for it.
    void lookOnce();
  };

  const look = async () => {
    const nodes = writableNodes(commands);
    const known = new Set(nodes.map(({ name }) => name));
    for (const [name, node] of replicated) if (!known.has(name)) close(name, node);
    await Promise.all(
      nodes.map(async ({ name, redis }) => {
        const replicas = infoNumber(await redis.info("replication"), "connected_slaves");
        const node = replicated.get(name);
        if (replicas === 0 && node) close(name, node);
        if (replicas === 0 || node) return;
        const connection = await connectNode(login, name, log);
        if (stopped) connection.disconnect();
        else replicated.set(name, new ReplicatedNode(connection, onUnconfirmed));
      }),
    );
  };
  const close = (name: string, node: ReplicatedNode) => {
    replicated.delete(name);
    node.close();
  };

  let stopped = false;
  let looking: Promise<void> | undefined;
  const lookOnce = async () => {
    // A Redis that is away has what it had: the next look tells.
    looking ??= look()
      .catch((error) => log.debug({ reason: String(error) }, "replicas unknown"))
      .finally(() => {
        looking = undefined;
      });
    await looking;
  };
  await lookOnce();
  const timer = setInterval(() => void lookOnce(), LOOK_MS);

  return {
    async confirm(key, write) {
      const tag = key.slice(0, key.indexOf("}") + 1);
      await replicated.get(nodeOf(commands, tag) ?? "")?.confirm(tag, write);
    },
    get unconfirmed() {
      return unconfirmed;
    },
    stop() {
      stopped = true;
      clearInterval(timer);
      for (const [name, node] of replicated) close(name, node);
    },
  };
}

interface Waiting extends Write {
  settle: () => void;
}

class ReplicatedNode {
  #waiting: Waiting[] = [];
  #underWay = false;
  /** Counts lost connections: the one that answers may be to another node than the one that took the write. */
  #losses = 0;

  constructor(
    private readonly redis: Standalone,
    private readonly onUnconfirmed: (writes: Write[], reason: string) => void,
  ) {
    redis.on("close", () => this.#losses++);
  }

  confirm(tag: string, write: Write): Promise<void> {
    return new Promise((settle) => {
      this.#waiting.push({ ...write, settle });
      if (!this.#underWay) void this.#waitForAll(tag);
    });
  }

  close(): void {
    this.redis.disconnect();
  }

  async #waitForAll(tag: string): Promise<void> {
    this.#underWay = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const reason = await this.#wait(`${tag}:confirmed`);
      if (reason !== undefined)
        this.onUnconfirmed(
          group.map(({ runId, what }) => ({ runId, what })),
          reason,
        );
      for (const { settle } of group) settle();
    }
    this.#underWay = false;
  }

  /** @returns why no replica is known to have what was written so far */
  async #wait(mark: string): Promise<string | undefined> {
    const losses = this.#losses;
    try {
      const answers = await this.redis.pipeline().eval(MARK, 1, mark).call("WAIT", 1, WAIT_MS).exec();
      const [[markFailed] = [], [waitFailed, replicas] = []] = answers ?? [];
      if (markFailed || waitFailed) throw markFailed ?? waitFailed;
      if (losses !== this.#losses) return "the connection was lost";
      return replicas === 0 ? `not within ${WAIT_MS} ms` : undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // Half-open, it would keep each write waiting for as long.
      if (reason === "Command timed out") this.redis.disconnect(true);
      return reason;
    }
  }
}
