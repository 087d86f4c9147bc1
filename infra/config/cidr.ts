/** IPv4 networks as security groups take them. */

/** Whether a text is a network such as 10.0.0.0/8; host bits are refused, since AWS drops them in silence. */
export function isCidr(text: string): boolean {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) return false;
  const [first = 0, second = 0, third = 0, fourth = 0, bits = 0] = match.slice(1).map(Number);
  if (Math.max(first, second, third, fourth) > 255 || bits > 32) return false;
  const address = ((first << 24) | (second << 16) | (third << 8) | fourth) >>> 0;
  return address % 2 ** (32 - bits) === 0;
}

/** Whether a network is all of the internet. */
export function isAnywhere(cidr: string): boolean {
  return cidr.endsWith("/0");
}
