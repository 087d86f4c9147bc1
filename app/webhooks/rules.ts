/**
 * Where a run may be told. What shows in the address itself is refused when the run is created; what its name leads to is
 * known only when it is posted, and is checked then, whatever was checked before.
 */
import { isIP } from "node:net";
import type { WebhookConfig } from "../graphs/config/webhooks.js";
import { networkOf } from "./address.js";

export interface WebhookRules
  extends Pick<WebhookConfig, "requireHttps" | "allowedDomains" | "allowedPorts" | "maxUrlLength" | "disableLoopback"> {
  /** Hosts, exactly as addresses name them, that may be in a private network: the deployment's own. */
  privateHosts: readonly string[];
}

/** The address is refused for what it is: trying again would change nothing. The message is for its author. */
export class AddressRefused extends Error {
  override name = "AddressRefused";
}

/** Names of this machine, whatever DNS says. */
const LOCAL_NAME = /^(.+\.)?localhost$|^host\.docker\.internal$/;

/** @returns what is posted to @throws AddressRefused */
export function checkAddress(text: string, rules: WebhookRules): URL {
  const { requireHttps, allowedPorts, maxUrlLength } = rules;
  if (text.length > maxUrlLength) throw new AddressRefused(`must have at most ${maxUrlLength} characters`);
  if (!URL.canParse(text)) throw new AddressRefused("must be an absolute address such as https://example.com/hook");
  const url = new URL(text);
  if (url.protocol !== "https:" && (requireHttps || url.protocol !== "http:"))
    throw new AddressRefused(`must begin with https://${requireHttps ? "" : " or http://"}`);
  if (url.username !== "" || url.password !== "")
    throw new AddressRefused(
      "must not hold a user or a password; put a secret into the path, or into webhooks.headers",
    );
  const port = portOf(url);
  if (port === 0 || (allowedPorts.length > 0 && !allowedPorts.includes(port)))
    throw new AddressRefused(`must not use port ${port}${port === 0 ? "" : "; webhooks.url.allowed_ports has it not"}`);
  checkHost(hostOf(url), rules);
  // Nobody is sent it.
  url.hash = "";
  return url;
}

/** @param addresses what the host's name leads to @throws AddressRefused if it leads anywhere that it must not */
export function checkNetworks(host: string, addresses: readonly string[], rules: WebhookRules): void {
  for (const address of addresses) {
    const network = networkOf(address);
    if (network === "public") continue;
    if (network === "loopback" && !rules.disableLoopback) continue;
    if (network === "private" && rules.privateHosts.includes(host)) continue;
    throw new AddressRefused(`must not lead to ${NETWORK_NAMES[network]}`);
  }
}

const NETWORK_NAMES = {
  loopback: "the machine that sends it, unless webhooks.url.disable_loopback is false",
  private: "a private network; WEBHOOK_PRIVATE_HOSTS names hosts that may",
  never: "an address that is not of the internet",
};

/** Lower case, without the brackets of IPv6 and the dot at a name's end. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}

function portOf({ port, protocol }: URL): number {
  if (port !== "") return Number(port);
  return protocol === "https:" ? 443 : 80;
}

function checkHost(host: string, rules: WebhookRules): void {
  const { allowedDomains, disableLoopback, privateHosts } = rules;
  if (host === "") throw new AddressRefused("must name a host");
  if (allowedDomains.length > 0 && !allowedDomains.some((domain) => isOf(host, domain)))
    throw new AddressRefused("must be on a host that webhooks.url.allowed_domains names");
  // The parser has made addresses of 2130706433, 0x7f.1 and 0177.0.0.1.
  if (isIP(host)) checkNetworks(host, [host], rules);
  else if (LOCAL_NAME.test(host) && disableLoopback && !privateHosts.includes(host))
    throw new AddressRefused(`must not lead to ${NETWORK_NAMES.loopback}`);
}

function isOf(host: string, domain: string): boolean {
  return domain.startsWith("*.") ? host.endsWith(domain.slice(1)) : host === domain;
}
