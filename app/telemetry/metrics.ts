/**
 * What a process tells Prometheus of itself. Numbers are kept where they come about, and read when somebody asks; nothing
 * that is asked of Redis for them grows with what it holds. Labels have few values: routes, not addresses; no ids.
 */
import { Counter, type CounterConfiguration, Gauge, Histogram, Registry } from "prom-client";

export type MetricsFormat = "prometheus" | "json";

export interface MetricsText {
  type: string;
  text: string;
}

/** By the value of a label. */
export type Numbers = Readonly<Record<string, number>>;

const PREFIX = "switchyard_";

export class Metrics {
  readonly #registry = new Registry();

  constructor() {
    tellProcess(this.#registry);
  }

  counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.#registry] });
  }

  /** @param buckets upper bounds, in seconds */
  histogram<L extends string>(name: string, help: string, labelNames: L[], buckets: number[]): Histogram<L> {
    return new Histogram({ name: PREFIX + name, help, labelNames, buckets, registers: [this.#registry] });
  }

  /** A number that goes up and down; undefined while it is unknown. */
  gauge(name: string, help: string, read: () => number | undefined): void {
    new Gauge({
      ...{ name: PREFIX + name, help, registers: [this.#registry] },
      collect() {
        const value = read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  }

  /** @param read the numbers by the label's values; undefined while they are unknown */
  gauges(name: string, help: string, label: string, read: () => Numbers | undefined): void {
    new Gauge({
      ...{ name: PREFIX + name, help, labelNames: [label], registers: [this.#registry] },
      collect() {
        this.reset();
        for (const [value, number] of Object.entries(read() ?? {})) this.set({ [label]: value }, number);
      },
    });
  }

  /** A number that somebody else counts up. */
  count(name: string, help: string, read: () => number): void {
    new Counter({ ...this.#named(name, help), collect: told(() => [[{}, read()]]) });
  }

  /** The same, by the values of a label. */
  counts(name: string, help: string, label: string, read: () => Numbers): void {
    new Counter({
      ...{ ...this.#named(name, help), labelNames: [label] },
      collect: told(() => Object.entries(read()).map(([value, number]) => [{ [label]: value }, number])),
    });
  }

  async render(format: MetricsFormat): Promise<MetricsText> {
    if (format === "json")
      return { type: "application/json", text: JSON.stringify(await this.#registry.getMetricsAsJSON()) };
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #named(name: string, help: string) {
    return { name: PREFIX + name, help, registers: [this.#registry] };
  }
}

type Collect = NonNullable<CounterConfiguration<string>["collect"]>;

/** A counter of this library only counts up by itself; here it takes over what was counted elsewhere. */
function told(read: () => [labels: Record<string, string>, value: number][]): Collect {
  return function (this: Counter) {
    this.reset();
    for (const [labels, value] of read()) this.inc(labels, value);
  };
}

/** Under the names that dashboards know. */
function tellProcess(registry: Registry): void {
  const registers = [registry];
  const cpuSeconds = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000_000;
  };
  new Counter({
    ...{ name: "process_cpu_seconds_total", help: "CPU time, in seconds", registers },
    collect: told(() => [[{}, cpuSeconds()]]),
  });
  const gauges: [name: string, help: string, read: () => number][] = [
    ["process_resident_memory_bytes", "Resident memory", () => process.memoryUsage.rss()],
    ["process_start_time_seconds", "Start, in seconds since 1970", () => Date.now() / 1_000 - process.uptime()],
    ["nodejs_heap_used_bytes", "Heap in use, of the thread that answers", () => process.memoryUsage().heapUsed],
  ];
  for (const [name, help, read] of gauges)
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(read());
      },
    });
}
