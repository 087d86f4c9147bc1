/**
 * Writes recorded resources as Terraform JSON, which Checkov reads. The Pulumi provider is made from Terraform's, so
 * types and properties translate by rule; types are spelled out all the same, because a type that Checkov doesn't know
 * under the name we give it would pass in silence.
 */
import { nameSuffix } from "../engine/cloud.js";
import type { RecordedResource } from "../engine/recording.js";
import { isValues, type Values } from "../engine/wire.js";

/** Terraform's names of the types that the program creates. */
const types: Record<string, string> = {
  "aws:acm/certificate:Certificate": "aws_acm_certificate",
  "aws:acm/certificateValidation:CertificateValidation": "aws_acm_certificate_validation",
  "aws:cloudwatch/eventRule:EventRule": "aws_cloudwatch_event_rule",
  "aws:cloudwatch/eventTarget:EventTarget": "aws_cloudwatch_event_target",
  "aws:cloudwatch/logGroup:LogGroup": "aws_cloudwatch_log_group",
  "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "aws_default_security_group",
  "aws:ec2/eip:Eip": "aws_eip",
  "aws:ec2/flowLog:FlowLog": "aws_flow_log",
  "aws:ec2/internetGateway:InternetGateway": "aws_internet_gateway",
  "aws:ec2/natGateway:NatGateway": "aws_nat_gateway",
  "aws:ec2/route:Route": "aws_route",
  "aws:ec2/routeTable:RouteTable": "aws_route_table",
  "aws:ec2/routeTableAssociation:RouteTableAssociation": "aws_route_table_association",
  "aws:ec2/securityGroup:SecurityGroup": "aws_security_group",
  "aws:ec2/subnet:Subnet": "aws_subnet",
  "aws:ec2/vpc:Vpc": "aws_vpc",
  "aws:ec2/vpcEndpoint:VpcEndpoint": "aws_vpc_endpoint",
  "aws:ecr/lifecyclePolicy:LifecyclePolicy": "aws_ecr_lifecycle_policy",
  "aws:ecr/repository:Repository": "aws_ecr_repository",
  "aws:ecs/cluster:Cluster": "aws_ecs_cluster",
  "aws:ecs/service:Service": "aws_ecs_service",
  "aws:ecs/taskDefinition:TaskDefinition": "aws_ecs_task_definition",
  "aws:elasticache/parameterGroup:ParameterGroup": "aws_elasticache_parameter_group",
  "aws:elasticache/replicationGroup:ReplicationGroup": "aws_elasticache_replication_group",
  "aws:elasticache/subnetGroup:SubnetGroup": "aws_elasticache_subnet_group",
  "aws:elasticache/user:User": "aws_elasticache_user",
  "aws:elasticache/userGroup:UserGroup": "aws_elasticache_user_group",
  "aws:iam/role:Role": "aws_iam_role",
  "aws:iam/rolePolicy:RolePolicy": "aws_iam_role_policy",
  "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "aws_iam_role_policy_attachment",
  "aws:lb/listener:Listener": "aws_lb_listener",
  "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
  "aws:lb/targetGroup:TargetGroup": "aws_lb_target_group",
  "aws:route53/record:Record": "aws_route53_record",
  "aws:s3/bucket:Bucket": "aws_s3_bucket",
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "aws_s3_bucket_lifecycle_configuration",
  "aws:s3/bucketPolicy:BucketPolicy": "aws_s3_bucket_policy",
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "aws_s3_bucket_public_access_block",
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration":
    "aws_s3_bucket_server_side_encryption_configuration",
  "aws:secretsmanager/secret:Secret": "aws_secretsmanager_secret",
  "aws:secretsmanager/secretVersion:SecretVersion": "aws_secretsmanager_secret_version",
  "aws:sns/topic:Topic": "aws_sns_topic",
  "aws:sns/topicPolicy:TopicPolicy": "aws_sns_topic_policy",
  "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "aws_vpc_security_group_egress_rule",
  "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "aws_vpc_security_group_ingress_rule",
  "random:index/randomId:RandomId": "random_id",
  "random:index/randomPassword:RandomPassword": "random_password",
};

/** Custom resources that are nothing in a cloud: a build is a step of the deployment. */
const notInTheCloud = ["docker-build:index:Image"];

/** Properties whose keys are the user's own. */
const maps = ["tags", "keepers"];

/** Pulumi's way: what replaces a resource is there before the old one goes. */
const lifecycle = { create_before_destroy: true };

/**
 * @returns by address, such as `aws_lb.balancer`, a file that holds this resource
 * @throws for a type that has no name in Terraform here
 */
export function toTerraform(resources: RecordedResource[]): Map<string, Values> {
  const scanned = resources.filter(({ custom, type }) => custom && !notInTheCloud.includes(type));
  const references = referencesTo(scanned);
  const files = new Map<string, Values>();
  for (const resource of scanned) {
    const [type, name] = addressOf(resource);
    const address = `${type}.${name}`;
    if (files.has(address)) throw new Error(`two resources would be ${address}`);
    files.set(address, { resource: { [type]: { [name]: { ...block(resource.inputs, references), lifecycle } } } });
  }
  return files;
}

function addressOf({ type, name }: RecordedResource): [string, string] {
  const terraformType = types[type];
  if (terraformType === undefined)
    throw new Error(`${type} (${name}) has no name in Terraform yet; add it to infra/scan/terraform.ts`);
  return [terraformType, name.replace(/[^A-Za-z0-9_-]/g, "_")];
}

/** Values that stand for another resource, as Terraform writes them: checks follow them from resource to resource. */
function referencesTo(resources: RecordedResource[]): Map<string, string> {
  const references = new Map<string, string>();
  for (const resource of resources) {
    const address = addressOf(resource).join(".");
    references.set(resource.id, `\${${address}.id}`);
    for (const output of ["arn", "dnsName", "name"]) {
      const value = resource.outputs[output];
      // A name that somebody gave may be anybody's.
      const isOwn = typeof value === "string" && (output !== "name" || value.endsWith(nameSuffix));
      if (isOwn) references.set(value, `\${${address}.${snake(output)}}`);
    }
  }
  return references;
}

function block(values: Values, references: Map<string, string>): Values {
  const entries = Object.entries(values).flatMap(([key, value]) => {
    if (value === undefined || value === null || key.startsWith("__")) return [];
    if (maps.includes(key)) return [[key, value]];
    if (key === "containerDefinitions") return [[snake(key), containers(value)]];
    const isBlocks = Array.isArray(value) && value.length > 0 && value.every(isValues);
    return [[isBlocks ? singular(snake(key)) : snake(key), translated(value, references)]];
  });
  return Object.fromEntries(entries);
}

/** Checkov reads containers as objects, and takes a setting for given wherever its name stands, so false ones go. */
function containers(json: unknown): unknown {
  const parsed: unknown = JSON.parse(String(json), (_, value: unknown) => (value === false ? undefined : value));
  return parsed;
}

function translated(value: unknown, references: Map<string, string>): unknown {
  if (typeof value === "string") return references.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item) => translated(item, references));
  return isValues(value) ? block(value, references) : value;
}

function snake(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
}

/** Terraform names repeated blocks in the singular, Pulumi in the plural. */
function singular(name: string): string {
  if (name.endsWith("ies")) return `${name.slice(0, -3)}y`;
  return name.endsWith("ases") ? name.slice(0, -2) : name.replace(/s$/, "");
}
