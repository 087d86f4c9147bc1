/** Which addresses a run may be told at: callers name them, and workers stand in somebody's private network. */
import { describe, expect, test } from "vitest";
import { networkOf } from "../../app/webhooks/address.js";
import { checkAddress, checkNetworks, type WebhookRules } from "../../app/webhooks/rules.js";

const open: WebhookRules = {
  ...{ requireHttps: false, allowedDomains: [], allowedPorts: [], maxUrlLength: 8_192 },
  ...{ disableLoopback: true, privateHosts: [] },
};

test.each([
  ["8.8.8.8", "public"],
  ["2606:4700:4700::1111", "public"],
  ["64:ff9b::808:808", "public"],
  ["127.0.0.1", "loopback"],
  ["127.255.255.254", "loopback"],
  ["::1", "loopback"],
  ["10.0.0.1", "private"],
  ["172.16.0.1", "private"],
  ["172.31.255.255", "private"],
  ["192.168.1.1", "private"],
  ["100.64.0.1", "private"],
  ["fd12:3456::1", "private"],
  ["172.32.0.1", "public"],
  ["169.254.169.254", "never"],
  ["169.254.170.2", "never"],
  ["169.254.170.23", "never"],
  ["fe80::1", "never"],
  ["fe80::1%eth0", "never"],
  ["fd00:ec2::254", "never"],
  ["fd00:ec2::23", "never"],
  ["0.0.0.0", "never"],
  ["0.1.2.3", "never"],
  ["::", "never"],
  ["224.0.0.1", "never"],
  ["ff02::1", "never"],
  ["255.255.255.255", "never"],
  ["240.0.0.1", "never"],
  ["192.0.2.1", "never"],
  ["198.18.0.1", "never"],
  ["::ffff:127.0.0.1", "never"],
  ["::ffff:8.8.8.8", "never"],
  ["::127.0.0.1", "never"],
  ["64:ff9b::7f00:1", "never"],
  ["64:ff9b::a9fe:a9fe", "never"],
  ["64:ff9b:1::808:808", "never"],
  ["2002:7f00:1::", "never"],
  ["2001::1", "never"],
  ["2001:db8::1", "never"],
  ["fec0::1", "never"],
  ["not an address", "never"],
])("%s is %s", (address, network) => expect(networkOf(address)).toBe(network));

describe("an address that a caller names", () => {
  test.each([
    ["/threads/1/runs", "must be an absolute address such as https://example.com/hook"],
    ["example.com/hook", "must be an absolute address"],
    ["https://", "must be an absolute address"],
    ["ftp://example.com", "must begin with https:// or http://"],
    ["file:///etc/passwd", "must begin with https:// or http://"],
    ["javascript:alert(1)", "must begin with https:// or http://"],
    ["https://me:secret@example.com", "must not hold a user or a password"],
    ["https://me@example.com", "must not hold a user or a password"],
    ["http://localhost/x", "must not lead to the machine that sends it, unless webhooks.url.disable_loopback is false"],
    ["http://LOCALHOST./x", "must not lead to the machine that sends it"],
    ["http://api.localhost:8000", "must not lead to the machine that sends it"],
    ["http://host.docker.internal", "must not lead to the machine that sends it"],
    ["http://127.0.0.1:8000/x", "must not lead to the machine that sends it"],
    ["http://2130706433/", "must not lead to the machine that sends it"],
    ["http://0177.0.0.1/", "must not lead to the machine that sends it"],
    ["http://0x7f.1/", "must not lead to the machine that sends it"],
    ["http://127.1/", "must not lead to the machine that sends it"],
    ["http://①②⑦.0.0.1/", "must not lead to the machine that sends it"],
    ["http://[::1]:8000/", "must not lead to the machine that sends it"],
    ["http://[0:0:0:0:0:0:0:1]/", "must not lead to the machine that sends it"],
    ["http://[::ffff:127.0.0.1]/", "must not lead to an address that is not of the internet"],
    ["http://[::ffff:169.254.169.254]/", "must not lead to an address that is not of the internet"],
    ["http://169.254.169.254/latest/meta-data", "must not lead to an address that is not of the internet"],
    ["http://0xa9fea9fe/", "must not lead to an address that is not of the internet"],
    ["http://[fd00:ec2::254]/", "must not lead to an address that is not of the internet"],
    ["http://0/", "must not lead to an address that is not of the internet"],
    ["http://10.1.2.3/", "must not lead to a private network; WEBHOOK_PRIVATE_HOSTS names hosts that may"],
    ["http://[fd12::1]/", "must not lead to a private network"],
    ["https://example.com:0/", "must not use port 0"],
    [`https://example.com/${"x".repeat(8_200)}`, "must have at most 8192 characters"],
  ])("%s is refused", (address, sentence) => expect(() => checkAddress(address, open)).toThrow(sentence));

  test.each([
    ["https://example.com", "https://example.com/"],
    ["http://Example.com:8080/a?b=c#d", "http://example.com:8080/a?b=c"],
    ["https://bücher.example/", "https://xn--bcher-kva.example/"],
    ["https://8.8.8.8/", "https://8.8.8.8/"],
    ["http://[2606:4700::1111]/", "http://[2606:4700::1111]/"],
  ])("%s is taken", (address, posted) => expect(checkAddress(address, open).href).toBe(posted));

  test("must be of those that the project names", () => {
    const rules = { ...open, requireHttps: true, allowedPorts: [443, 8443] };
    const named = { ...rules, allowedDomains: ["hooks.example.com", "*.example.org"] };
    for (const address of ["https://hooks.example.com/", "https://a.b.example.org:8443/"])
      expect(checkAddress(address, named).href).toBe(address);
    for (const address of [
      "https://example.com/",
      "https://nothooks.example.com/",
      "https://example.org/",
      "https://evilexample.org/",
    ])
      expect(() => checkAddress(address, named)).toThrow("webhooks.url.allowed_domains");
    expect(() => checkAddress("http://hooks.example.com/", named)).toThrow("must begin with https://");
    expect(() => checkAddress("https://hooks.example.com:22/", named)).toThrow("must not use port 22");
  });

  test("opens no network by being allowed: only the deployment's own settings do", () => {
    const named = { ...open, allowedDomains: ["10.0.0.1", "127.0.0.1", "internal.example.com"] };
    expect(() => checkAddress("http://10.0.0.1/", named)).toThrow("private network");
    expect(() => checkAddress("http://127.0.0.1/", named)).toThrow("the machine that sends it");
    expect(() => checkNetworks("internal.example.com", ["10.0.0.1"], named)).toThrow("private network");

    const ours = { ...open, privateHosts: ["internal.example.com", "metadata.example.com"] };
    checkNetworks("internal.example.com", ["10.0.0.1", "fd12::1"], ours);
    expect(() => checkNetworks("other.example.com", ["10.0.0.1"], ours)).toThrow("private network");
    expect(() => checkNetworks("internal.example.com", ["127.0.0.1"], ours)).toThrow("the machine that sends it");
    expect(() => checkNetworks("metadata.example.com", ["169.254.169.254"], ours)).toThrow("not of the internet");
    checkNetworks("localhost", ["127.0.0.1", "::1"], { ...open, disableLoopback: false });
  });

  test("is refused when one of its addresses is not allowed", () => {
    expect(() => checkNetworks("example.com", ["8.8.8.8", "10.0.0.1"], open)).toThrow("private network");
  });
});
