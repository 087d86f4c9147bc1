/** A TCP proxy that fails as networks do: connections that are reset, refused, slow, or open and silent. */
import { createConnection, createServer, type Socket } from "node:net";

const HOST = "127.0.0.1";

export interface Address {
  host: string;
  port: number;
}

export interface TcpProxy {
  port: number;
  /** Where new connections lead; those that are open stay. */
  retarget(target: Address): void;
  /** Resets all connections that are open now. */
  cut(): void;
  /** While on, who connects is reset at once. */
  refuse(on: boolean): void;
  /** Half-open: while on, connections are held and accepted, and nothing passes either way. What was sent passes later. */
  silence(on: boolean): void;
  /** What is sent from now on arrives this much later, each way. */
  delay(ms: number): void;
  /** Connections open now. */
  readonly connections: number;
  stop(): Promise<void>;
}

/** @param target a Redis of this machine, most often @param options.port exactly this one, else any free one */
export async function startTcpProxy(target: Address, options: { port?: number } = {}): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const weather: Weather = { silent: false, delayMs: 0 };
  let to = target;
  let refusing = false;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (refusing) {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const pair = new Pair(client, createConnection({ ...to, allowHalfOpen: true }), weather, () => pairs.delete(pair));
    pairs.add(pair);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, HOST, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");

  const cut = () => {
    for (const pair of pairs) pair.reset();
  };
  return {
    port: address.port,
    retarget(next) {
      to = next;
    },
    cut,
    refuse(on) {
      refusing = on;
    },
    silence(on) {
      weather.silent = on;
      if (!on) for (const pair of pairs) pair.resume();
    },
    delay(ms) {
      weather.delayMs = ms;
    },
    get connections() {
      return pairs.size;
    },
    async stop() {
      cut();
      // Of one that is stopped already the callback gets an error, which says just that.
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Weather {
  silent: boolean;
  delayMs: number;
}

/** A client and its connection to the target: what ends one ends the other in the same way. */
class Pair {
  readonly #ways: [Way, Way];

  constructor(
    private readonly client: Socket,
    private readonly target: Socket,
    weather: Weather,
    onClosed: () => void,
  ) {
    this.#ways = [new Way(client, target, weather), new Way(target, client, weather)];
    for (const socket of [client, target])
      socket.on("close", () => {
        if (client.closed && target.closed) onClosed();
      });
  }

  reset(): void {
    for (const socket of [this.client, this.target]) socket.resetAndDestroy();
  }

  resume(): void {
    for (const way of this.#ways) way.pass();
  }
}

/** More than this is left to the sender's own buffers. */
const HELD_BYTES = 1024 * 1024;

/** One direction: bytes, and how they end, pass in order; late or held if the weather says so. */
class Way {
  readonly #held: { due: number; bytes: number; go: () => void }[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly weather: Weather,
  ) {
    from.setNoDelay(true);
    from.on("data", (chunk) => this.#hold(chunk.length, () => to.write(chunk)));
    from.on("end", () => this.#hold(0, () => to.end()));
    from.on("error", () => {});
    from.on("close", (disorderly) => disorderly && this.#hold(0, () => to.resetAndDestroy()));
    to.on("drain", () => this.pass());
  }

  #hold(bytes: number, go: () => void): void {
    this.#held.push({ due: performance.now() + this.weather.delayMs, bytes, go });
    this.#heldBytes += bytes;
    this.pass();
    if (this.#heldBytes > HELD_BYTES) this.from.pause();
  }

  pass(): void {
    clearTimeout(this.#timer);
    for (let next = this.#held[0]; next; next = this.#held[0]) {
      if (this.weather.silent || this.to.writableNeedDrain) return;
      const waitMs = next.due - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pass(), waitMs);
        return;
      }
      this.#held.shift();
      this.#heldBytes -= next.bytes;
      next.go();
    }
    this.from.resume();
  }
}
