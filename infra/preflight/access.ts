/** Who will be able to connect, as the stack's configuration says. */
import type { Config } from "../config.js";
import type { Check, Outcome } from "./outcome.js";

export function accessCheck(config: Config): Check {
  return { name: "access", run: async () => access(config) };
}

function access({ edge: { scheme, allowedCidrs }, stack }: Config): Outcome {
  const inside = scheme === "internal" ? " inside the VPC and the networks joined to it" : "";
  if (allowedCidrs.length > 0) return { found: `open to ${allowedCidrs.join(", ")}${inside}` };
  const set = `pulumi config set --stack ${stack} --path 'allowedCidrs[0]'`;
  return {
    problem: `nobody can connect${inside && `, not even${inside}`}`,
    mend: inside ? `${set} NETWORK-OF-THE-CALLERS` : `${set} "$(curl -s https://checkip.amazonaws.com)/32"`,
  };
}
