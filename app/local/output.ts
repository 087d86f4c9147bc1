/** One log of many processes: `name | line`. What it starts with goes to stderr, roles' lines and results to stdout. */
import { setTimeout as pause } from "node:timers/promises";

/** A process or the load balancer must not stand still, nor its memory grow, because nobody reads our output. */
const MOST_UNREAD_BYTES = 1024 * 1024;

const LAST_WORDS_MS = 500;

const colours = [36, 32, 33, 35, 34, 96, 92, 93, 95, 94];

export class Output {
  private readonly names: string[] = [];
  private width = 0;
  private leftOut = 0;

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly err: NodeJS.WriteStream,
  ) {
    // A reader that went away, as `npm start | head` does, is no reason to end runs.
    for (const stream of [out, err]) stream.on("error", () => {});
    out.on("drain", () => {
      if (this.leftOut > 0) this.err.write(`${this.leftOut} lines of log left out: nobody read them\n`);
      this.leftOut = 0;
    });
  }

  /** Announces who will speak, so that the names line up. */
  speakers(names: string[]): void {
    this.names.push(...names);
    this.width = Math.max(...this.names.map((name) => name.length));
  }

  /** A line of a role's log. */
  line(name: string, text: string): void {
    if (this.out.writableLength > MOST_UNREAD_BYTES) this.leftOut++;
    else this.out.write(`${this.prefix(name, this.out)}${text}\n`);
  }

  /** What `npm start` itself does and sees. */
  progress(name: string, text: string): void {
    this.err.write(`${this.prefix(name, this.err)}${text}\n`);
  }

  /** What was asked for, without a prefix. */
  result(text: string): void {
    this.out.write(text);
  }

  /** Why the start failed; the last words. */
  failure(text: string): void {
    this.err.write(`\n${text}\n`);
  }

  /** Resolves when all is written, or nobody has read on for a while. */
  async flushed(): Promise<void> {
    const written = Promise.all([this.out, this.err].map((stream) => new Promise((done) => stream.write("", done))));
    await Promise.race([written, pause(LAST_WORDS_MS)]);
  }

  private prefix(name: string, stream: NodeJS.WriteStream): string {
    const text = `${name.padEnd(this.width)} | `;
    if (!stream.isTTY || process.env.NO_COLOR) return text;
    return `\u001b[${colours[Math.max(this.names.indexOf(name), 0) % colours.length]}m${text}\u001b[0m`;
  }
}
