/**
 * What kind of network an IP address is in. A webhook's address is named by whoever may start a run, so a worker must not
 * become their way into the network that it stands in.
 */
import ipaddr from "ipaddr.js";

/**
 * `public`: the internet; `loopback`: this machine; `private`: a network of its owner's (10/8, 172.16/12, 192.168/16,
 * 100.64/10, fc00::/7); `never`: all else, which no service of anybody's answers on (link-local, where clouds and ECS hand
 * out credentials; multicast; unspecified; IPv4 in a disguise of IPv6; reserved).
 */
export type Network = "public" | "loopback" | "private" | "never";

/** The only addresses of IPv6 that are given out for the internet (IANA). */
const GLOBAL_V6: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("2000::"), 3];
/** AWS's own services within a VPC: instance metadata, DNS, time. By its form it is a private network. */
const AWS_V6: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("fd00:ec2::"), 32];
/** How a network without IPv4 reaches it (NAT64, RFC 6052): the last four bytes are the address that is meant. */
const NAT64: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("64:ff9b::"), 96];

/** @param address as DNS or the host of a URL has it, without brackets; what can't be read is in no network: `never` */
export function networkOf(address: string): Network {
  if (!ipaddr.isValid(address)) return "never";
  const ip = ipaddr.parse(address);
  return ip instanceof ipaddr.IPv6 ? networkOfV6(ip) : networkOfV4(ip);
}

function networkOfV4(ip: ipaddr.IPv4): Network {
  switch (ip.range()) {
    case "unicast":
      return "public";
    case "loopback":
      return "loopback";
    case "private":
    case "carrierGradeNat":
      return "private";
    default:
      return "never";
  }
}

function networkOfV6(ip: ipaddr.IPv6): Network {
  if (ip.zoneId !== undefined || ip.match(AWS_V6)) return "never";
  if (ip.match(NAT64)) {
    const meant = networkOfV4(new ipaddr.IPv4(ip.toByteArray().slice(12)));
    return meant === "public" ? meant : "never";
  }
  switch (ip.range()) {
    case "unicast":
      return ip.match(GLOBAL_V6) ? "public" : "never";
    case "loopback":
      return "loopback";
    case "uniqueLocal":
      return "private";
    default:
      return "never";
  }
}
