/** A certificate for the domain, proved by a DNS record in the account's own zone. Free, and renewed by AWS. */
import * as acm from "@pulumi/aws/acm/index.js";
import * as route53 from "@pulumi/aws/route53/index.js";
import { ComponentResource, type ComponentResourceOptions, type Output } from "@pulumi/pulumi";
import { type Transform, transformed } from "./transform.js";

export interface CertificateArgs {
  /** @example "agents.example.com" */
  domain: string;
  /** The Route 53 zone that holds the domain. */
  zoneId: string;
  transform?: { certificate?: Transform<acm.CertificateArgs> };
}

export class Certificate extends ComponentResource {
  /** Of the certificate once it is issued. */
  readonly arn: Output<string>;

  constructor(name: string, args: CertificateArgs, opts?: ComponentResourceOptions) {
    super("switchyard:edge:Certificate", name, {}, opts);
    const certificate = new acm.Certificate(
      name,
      transformed({ domainName: args.domain, validationMethod: "DNS" }, args.transform?.certificate),
      { parent: this },
    );
    // One name, so one proof.
    const proof = certificate.domainValidationOptions.apply(([option]) => {
      if (option === undefined) throw new Error(`ACM named no record that proves ${args.domain}`);
      return option;
    });
    const record = new route53.Record(
      `${name}-proof`,
      {
        zoneId: args.zoneId,
        name: proof.resourceRecordName,
        type: proof.resourceRecordType,
        records: [proof.resourceRecordValue],
        ttl: 300,
        // Another stack of the same account may have proved the same domain.
        allowOverwrite: true,
      },
      // And may still need the proof: ACM asks for it again whenever it renews a certificate.
      { parent: this, retainOnDelete: true },
    );
    const issued = new acm.CertificateValidation(
      name,
      { certificateArn: certificate.arn, validationRecordFqdns: [record.fqdn] },
      { parent: this },
    );
    this.arn = issued.certificateArn;
    this.registerOutputs({ arn: this.arn });
  }
}
