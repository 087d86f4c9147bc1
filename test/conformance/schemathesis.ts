/**
 * A part of `npm run conformance`: schemathesis makes requests from `/openapi.json`, right and wrong ones, and sequences of
 * them, and looks at each answer: no 5xx, no status, header or content that the document does not tell, nothing accepted
 * that it forbids, nothing refused that it allows.
 */
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { pythonWith } from "../support/environments.js";
import { topology } from "../support/topology.js";
import type { Outcome } from "./cases.js";
import type { Context } from "./parts.js";

const config = join(import.meta.dirname, "schemathesis.toml");
const version = "4.32.5";
const EXAMPLES_AN_OPERATION = 50;
const SEED = 1;
const LIMIT_MS = 15 * 60_000;

const Report = z.object({
  operations: z.object({ total: z.number(), tested: z.number() }),
  test_cases: z.object({ generated: z.number(), with_failures: z.number() }),
  failures: z.array(z.object({ code: z.string(), title: z.string(), operations: z.array(z.string()) })),
  errors: z.array(z.object({ title: z.string(), count: z.number() })),
});

export async function run({ build, cache, say }: Pick<Context, "build" | "cache" | "say">): Promise<Outcome> {
  const python = await pythonWith({ cache, packages: [`schemathesis==${version}`], say });
  const key = randomUUID();
  const environment = {
    API_KEY_HASHES: createHash("sha256").update(key).digest("hex"),
    RUNS_PER_WORKER: "50",
  };
  const all = await topology({ build, servers: 1, workers: 1, environment });
  const folder = await mkdtemp(join(tmpdir(), "switchyard-schemathesis-"));
  try {
    const output = await ask(
      join(dirname(python), "st"),
      [`${all.servers[0]?.url}/openapi.json`, ...options(key)],
      folder,
    );
    const report = Report.parse(JSON.parse(await readFile(join(folder, "report.json"), "utf8")));
    const failed = failuresOf(report);
    if (failed.length > 0) say(output);
    return { passed: report.test_cases.generated - report.test_cases.with_failures, failed };
  } finally {
    await rm(folder, { recursive: true });
    await all.stop();
  }
}

const options = (key: string) => [
  ...["--header", `x-api-key: ${key}`],
  ...["--checks", "all", "--continue-on-failure", "--max-examples", String(EXAMPLES_AN_OPERATION)],
  ...["--seed", String(SEED), "--generation-database", "none"],
  // They watch the making of examples, and a busy machine makes them slowly.
  ...["--suppress-health-check", "all"],
  // One: what makes the examples is not safe for several threads, and fails now and then.
  ...["--workers", "1", "--request-timeout", "20", "--no-color"],
  ...["--report", "json", "--report-json-path", "report.json"],
];

/** @returns what it printed; that it found something is in its report */
function ask(program: string, args: string[], folder: string): Promise<string> {
  const env = {
    ...process.env,
    ...{ SCHEMATHESIS_HOOKS: "hints", PYTHONPATH: import.meta.dirname, PYTHONDONTWRITEBYTECODE: "1" },
  };
  return new Promise((resolve, reject) => {
    const limits = { cwd: folder, env, timeout: LIMIT_MS, maxBuffer: 64 * 1024 * 1024 };
    execFile(program, ["--config-file", config, "run", ...args], limits, (error, stdout, stderr) => {
      // 1: it found something.
      if (error && error.code !== 1)
        reject(new Error(`schemathesis could not run: ${error.message} ${stdout} ${stderr}`));
      else resolve(stdout);
    });
  });
}

function failuresOf({ operations, failures, errors }: z.infer<typeof Report>): string[] {
  return [
    ...(operations.tested < operations.total ? [`${operations.total - operations.tested} operations not tested`] : []),
    ...failures.flatMap((failure) => failure.operations.map((name) => `${name}: ${failure.title} (${failure.code})`)),
    ...errors.map(({ title, count }) => `${title}, ${count} times`),
  ];
}
