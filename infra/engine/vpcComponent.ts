/**
 * Answers in place of the awsx plugin, which makes the children of `awsx:ec2:Vpc` in a process of its own: zones with
 * each kind of subnet that was asked for, their routes, the internet gateway, NAT gateways and endpoints. A
 * recording without them would let checks pass that never looked at a network.
 */
import { isValues, type Values } from "./wire.js";

/** Registers a child below a parent, as any resource would be. @returns its urn and id */
export type Register = (type: string, name: string, parent: string, inputs: Values) => Promise<Child>;

interface Child {
  urn: string;
  id: string;
}

/** @returns the component's outputs */
export async function createVpc(
  name: string,
  urn: string,
  args: Values,
  zones: string[],
  register: Register,
): Promise<Values> {
  const tags = isValues(args.tags) ? args.tags : {};
  const vpc = await register("aws:ec2/vpc:Vpc", name, urn, {
    cidrBlock: args.cidrBlock,
    enableDnsHostnames: args.enableDnsHostnames ?? false,
    tags: { ...tags, Name: name },
  });
  const gateway = await register("aws:ec2/internetGateway:InternetGateway", name, vpc.urn, { vpcId: vpc.id, tags });
  const strategy = isValues(args.natGateways) ? args.natGateways.strategy : "OnePerAz";

  const ids: Record<"Public" | "Private" | "Isolated", string[]> = { Public: [], Private: [], Isolated: [] };
  const routeTables: string[] = [];
  const natGateways: string[] = [];
  for (const [index, zone] of zones.entries())
    for (const kind of ["Public", "Private", "Isolated"] as const) {
      if (!list(args.subnetSpecs).some((spec) => spec.type === kind)) continue;
      const subnetName = `${name}-${kind.toLowerCase()}-${index + 1}`;
      const subnet = await register("aws:ec2/subnet:Subnet", subnetName, vpc.urn, {
        vpcId: vpc.id,
        availabilityZone: zone,
        cidrBlock: `10.0.${(index * 3 + Object.keys(ids).indexOf(kind)) * 32}.0/19`,
        mapPublicIpOnLaunch: kind === "Public",
        tags: { ...tags, Name: subnetName, SubnetType: kind },
      });
      ids[kind].push(subnet.id);
      const table = await register("aws:ec2/routeTable:RouteTable", subnetName, subnet.urn, { vpcId: vpc.id, tags });
      routeTables.push(table.id);
      await register("aws:ec2/routeTableAssociation:RouteTableAssociation", subnetName, table.urn, {
        routeTableId: table.id,
        subnetId: subnet.id,
      });
      if (kind === "Public" && (strategy === "OnePerAz" || (strategy === "Single" && index === 0)))
        natGateways.push(await natGateway(`${name}-${index + 1}`, subnet, tags, register));
      const via =
        kind === "Public" ? { gatewayId: gateway.id } : kind === "Private" && { natGatewayId: natGateways.at(-1) };
      if (via && Object.values(via)[0] !== undefined)
        await register("aws:ec2/route:Route", subnetName, table.urn, {
          routeTableId: table.id,
          destinationCidrBlock: "0.0.0.0/0",
          ...via,
        });
    }
  for (const spec of list(args.vpcEndpointSpecs))
    await register("aws:ec2/vpcEndpoint:VpcEndpoint", String(spec.serviceName), vpc.urn, {
      vpcId: vpc.id,
      serviceName: spec.serviceName,
      vpcEndpointType: spec.vpcEndpointType ?? "Gateway",
      routeTableIds: routeTables,
      tags,
    });
  return {
    vpcId: vpc.id,
    publicSubnetIds: ids.Public,
    privateSubnetIds: ids.Private,
    isolatedSubnetIds: ids.Isolated,
  };
}

async function natGateway(name: string, subnet: Child, tags: Values, register: Register): Promise<string> {
  const address = await register("aws:ec2/eip:Eip", name, subnet.urn, { domain: "vpc", tags });
  const inputs = { subnetId: subnet.id, allocationId: address.id, tags };
  return (await register("aws:ec2/natGateway:NatGateway", name, subnet.urn, inputs)).id;
}

function list(value: unknown): Values[] {
  return Array.isArray(value) ? value.filter(isValues) : [];
}
