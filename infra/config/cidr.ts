/** IPv4 networks as security groups take them. */

/** Leading zeros are refused: some read them as octal, and `/00` is not the `/0` that others look for. */
const part = "(0|[1-9]\\d{0,2})";
const pattern = new RegExp(`^${part}\\.${part}\\.${part}\\.${part}/(0|[1-9]\\d?)$`);

/** Whether a text is a network such as 10.0.0.0/8; host bits are refused, since AWS drops them in silence. */
export function isCidr(text: string): boolean {
  const match = pattern.exec(text);
  if (match === null) return false;
  const [first = 0, second = 0, third = 0, fourth = 0, bits = 0] = match.slice(1).map(Number);
  if (Math.max(first, second, third, fourth) > 255 || bits > 32) return false;
  return addressOf(text) % 2 ** (32 - bits) === 0;
}

/** Bits that all addresses of a network share: 0 is all of the internet. */
export function prefixLength(cidr: string): number {
  return Number(cidr.split("/")[1]);
}

/** What no address of the internet lies in: RFC 1918, and the shared space of RFC 6598. */
const privateNetworks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];

/** Whether all of a network is private. */
export function isPrivate(cidr: string): boolean {
  return privateNetworks.some((network) => {
    const bits = prefixLength(network);
    const size = 2 ** (32 - bits);
    return prefixLength(cidr) >= bits && Math.floor(addressOf(cidr) / size) === Math.floor(addressOf(network) / size);
  });
}

function addressOf(cidr: string): number {
  return (
    cidr
      .split("/")[0]
      ?.split(".")
      .reduce((sum, part) => sum * 256 + Number(part), 0) ?? 0
  );
}
