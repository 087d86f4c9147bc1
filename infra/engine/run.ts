/**
 * Runs the real program with Pulumi's own program runner against an engine of ours, and records what it asks for: no
 * CLI, no account, no plugin. Tests look at the recording, and so does the security scan.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import engineServices from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engine from "@pulumi/pulumi/proto/engine_pb.js";
import resourceServices from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import proto from "@pulumi/pulumi/proto/resource_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { parse } from "yaml";
import { Monitor } from "./monitor.js";
import type { Recording } from "./recording.js";
import type { StackConfig } from "./stackFiles.js";
import { isValues } from "./wire.js";

export interface ProgramRun {
  /** The folder of Pulumi.yaml. */
  root: string;
  stack: string;
  config: StackConfig;
  /** Nothing is known that only a deployment knows. */
  preview?: boolean;
  /** Names of the account's public Route 53 zones. */
  zones?: string[];
}

/** Most that a program may take, ms. */
const limitMs = 120_000;

export async function runProgram({ root, stack, config, preview = false, zones = [] }: ProgramRun): Promise<Recording> {
  const project = projectOf(root);
  const region = config.values["aws:region"] ?? "";
  const monitor = new Monitor(stack, project.name, preview, { region, zones });
  const errors: string[] = [];
  const server = new grpc.Server();
  addMonitor(server, monitor);
  addEngine(server, errors);
  const port = await listen(server);
  try {
    const { exitCode, printed } = await runNode(
      [...project.nodeArguments, ...programArguments(root, project, stack, port, preview)],
      {
        ...withoutPulumi(process.env),
        PULUMI_CONFIG: JSON.stringify(config.values),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(config.secretKeys),
      },
      root,
    );
    const { resources, outputs, secretOutputs } = monitor;
    return { resources, outputs, secretOutputs, exitCode, errors, printed };
  } finally {
    monitor.close();
    server.forceShutdown();
  }
}

interface Project {
  name: string;
  main: string;
  nodeArguments: string[];
}

/** What the CLI reads from Pulumi.yaml before it starts a program. */
function projectOf(root: string): Project {
  const file: unknown = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8"));
  if (!isValues(file)) throw new Error(`${root}/Pulumi.yaml holds no project`);
  const runtime = isValues(file.runtime) && isValues(file.runtime.options) ? file.runtime.options : {};
  return {
    name: String(file.name),
    main: String(file.main ?? "."),
    nodeArguments: String(runtime.nodeargs ?? "")
      .split(" ")
      .filter(Boolean),
  };
}

function programArguments(root: string, project: Project, stack: string, port: number, preview: boolean): string[] {
  const runner = createRequire(join(root, "package.json")).resolve("@pulumi/pulumi/cmd/run");
  const address = `127.0.0.1:${port}`;
  return [
    runner,
    ...["--monitor", address, "--engine", address],
    ...["--project", project.name, "--stack", stack, "--organization", "organization"],
    ...["--root-directory", root, "--pwd", join(root, project.main)],
    ...(preview ? ["--dry-run"] : []),
    ...["--parallel", "16", "."],
  ];
}

async function runNode(args: string[], env: NodeJS.ProcessEnv, cwd: string) {
  const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], timeout: limitMs });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
  return { exitCode, printed };
}

function withoutPulumi(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("PULUMI_")));
}

function addMonitor(server: grpc.Server, monitor: Monitor): void {
  const supported = ["secrets", "resourceReferences", "outputValues", "transforms"];
  addService(server, resourceServices.ResourceMonitorService, {
    supportsFeature: (request: proto.SupportsFeatureRequest) =>
      new proto.SupportsFeatureResponse().setHassupport(supported.includes(request.getId())),
    registerResource: (request: proto.RegisterResourceRequest) => monitor.registerResource(request),
    registerResourceOutputs: (request: proto.RegisterResourceOutputsRequest) => {
      monitor.registerOutputs(request.getUrn(), request.getOutputs());
      return new empty.Empty();
    },
    invoke: (request: proto.ResourceInvokeRequest) => monitor.invoke(request),
    signalAndWaitForShutdown: () => new empty.Empty(),
  });
}

function addEngine(server: grpc.Server, errors: string[]): void {
  let rootUrn = "";
  addService(server, engineServices.EngineService, {
    log: (request: engine.LogRequest) => {
      if (request.getSeverity() === engine.LogSeverity.ERROR) errors.push(request.getMessage());
      return new empty.Empty();
    },
    getRootResource: () => new engine.GetRootResourceResponse().setUrn(rootUrn),
    setRootResource: (request: engine.SetRootResourceRequest) => {
      rootUrn = request.getUrn();
      return new engine.SetRootResourceResponse();
    },
    requirePulumiVersion: () => new engine.RequirePulumiVersionResponse(),
  });
}

type Handler<Request, Response> = (request: Request) => Response | Promise<Response>;

/** Adds a service whose missing methods answer that they are not there; a method that throws fails the program. */
function addService(
  server: grpc.Server,
  service: grpc.ServiceDefinition,
  handlers: Record<string, Handler<never, unknown>>,
): void {
  const methods = Object.keys(service).map((name) => {
    const handler = handlers[name];
    const method = async (call: { request: never }, answer: grpc.sendUnaryData<unknown>) => {
      if (handler === undefined)
        return answer({ code: grpc.status.UNIMPLEMENTED, message: `the engine has no ${name}` });
      try {
        answer(null, await handler(call.request));
      } catch (error) {
        answer({ code: grpc.status.UNKNOWN, message: error instanceof Error ? error.message : String(error) });
      }
    };
    return [name, method];
  });
  server.addService(service, Object.fromEntries(methods));
}

async function listen(server: grpc.Server): Promise<number> {
  return await new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
}
