/** What the stack says of itself after `pulumi up`. */
import { isObject } from "../config/values.js";
import { type Ask, parsed } from "../preflight/command.js";

export interface Outputs {
  url: string;
  /** A secret: it is sent, and never shown. */
  apiKey: string;
  cluster: string;
  /** Names of the ECS services. */
  services: string[];
  /** Who can connect, in words. */
  access: string;
  /** The command that shows the logs. */
  logs: string;
  /** Where the stack's owner has to make the DNS record: which. */
  dnsRecord: string | undefined;
}

/** Why there is nothing to try; the exit code is the contract's. */
export class SmokeFailure extends Error {
  override name = "SmokeFailure";

  constructor(
    readonly exitCode: 1 | 2 | 3,
    message: string,
  ) {
    super(message);
  }
}

/** @throws SmokeFailure where the stack is not there, or not whole */
export async function readOutputs(stack: string, ask: Ask): Promise<Outputs> {
  const answer = await ask("pulumi", ["stack", "output", "--json", "--show-secrets", "--stack", stack]);
  if (answer.code === undefined)
    throw new SmokeFailure(3, "The command pulumi is not there: https://www.pulumi.com/docs/iac/download-install/");
  if (answer.code !== 0)
    throw new SmokeFailure(
      1,
      `pulumi gives no outputs of ${stack}: ${answer.complaint}\nmend: ${mendOf(answer.stderr, stack)}`,
    );
  const all = parsed(answer, "pulumi");
  const text = (name: string) => {
    const value = isObject(all) ? all[name] : undefined;
    if (typeof value === "string" && value !== "") return value;
    throw new SmokeFailure(
      1,
      `Stack ${stack} has no output ${name}: pulumi up has not ended well yet\nmend: pulumi up --stack ${stack}`,
    );
  };
  return {
    url: text("url"),
    apiKey: text("apiKey"),
    cluster: text("cluster"),
    services: [text("serverService"), text("workerService")],
    access: text("access"),
    logs: text("logs"),
    dnsRecord: isObject(all) && typeof all.dnsRecord === "string" ? all.dnsRecord : undefined,
  };
}

function mendOf(complaint: string, stack: string): string {
  if (/passphrase/i.test(complaint)) return "export PULUMI_CONFIG_PASSPHRASE=… of the stack";
  if (/no stack named/.test(complaint)) return `pulumi stack init ${stack} && pulumi up --stack ${stack}`;
  return `npm run preflight -- --stack ${stack}`;
}
