/**
 * The image that both roles run: built here from the app and a project of agents and pushed to a repository of ours, or
 * one that is ready. Either way tasks are pinned to a digest, so what rolls out is what was built.
 */
import * as ecr from "@pulumi/aws/ecr/index.js";
import * as dockerBuild from "@pulumi/docker-build";
import {
  ComponentResource,
  type ComponentResourceOptions,
  interpolate,
  type Output,
  output,
  secret,
} from "@pulumi/pulumi";
import { repositoryArn } from "../ecr.js";
import { appContext, contentHash, copyProject, textHash } from "../imageContent.js";
import type { Statement } from "./policies.js";
import { type Transform, transformed } from "./transform.js";

export type ImageArgs = ReadyImageArgs | BuiltImageArgs;

export interface ReadyImageArgs {
  /** @example "ghcr.io/me/agents@sha256:…" */
  ready: string;
}

export interface BuiltImageArgs {
  stack: string;
  /** The folder of Pulumi.yaml, relative to the program's. */
  root: string;
  /** A project with langgraph.json and package.json; without one the bundled agents. */
  agents: string | undefined;
  /** Variables that only the deployment sets: the build, which loads every graph, gives each a placeholder. */
  variables: string[];
  /** For private packages, as the build secret NPM_TOKEN: no layer holds it. */
  npmToken: string | undefined;
  /** `pulumi destroy` deletes the images too; otherwise it stops at a repository that isn't empty. */
  forceDelete: boolean;
  transform?: {
    repository?: Transform<ecr.RepositoryArgs>;
    image?: Transform<dockerBuild.ImageArgs>;
  };
}

/** What tasks run on, and so what the image is built for. */
export const architecture = "X86_64";
const platform = "linux/amd64";

export class Image extends ComponentResource {
  /** Name and digest. */
  readonly uri: Output<string>;
  /** What an execution role needs to pull it. */
  readonly pull: Statement[];

  constructor(name: string, args: ImageArgs, opts?: ComponentResourceOptions) {
    super("switchyard:image:Image", name, {}, opts);
    if ("ready" in args) {
      const repository = repositoryArn(args.ready);
      this.uri = output(args.ready);
      this.pull = repository === undefined ? [] : pullFrom(repository);
    } else {
      const repository = this.repository(name, args);
      this.uri = interpolate`${repository.repositoryUrl}@${this.build(name, args, repository).digest}`;
      this.pull = pullFrom(repository.arn);
    }
    this.registerOutputs({ uri: this.uri });
  }

  /** Cost: $0.10 a GB and month. */
  private repository(name: string, { forceDelete, transform }: BuiltImageArgs): ecr.Repository {
    const args: ecr.RepositoryArgs = {
      // Tasks are pinned to digests. A tag that can't be pushed again would only refuse content that comes back.
      imageTagMutability: "MUTABLE",
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfigurations: [{ encryptionType: "KMS" }],
      forceDelete,
    };
    const repository = new ecr.Repository(name, transformed(args, transform?.repository), { parent: this });
    const rule = {
      rulePriority: 1,
      description: "Enough to go back a long way",
      selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: 50 },
      action: { type: "expire" },
    };
    new ecr.LifecyclePolicy(
      name,
      { repository: repository.name, policy: JSON.stringify({ rules: [rule] }) },
      { parent: this },
    );
    return repository;
  }

  private build(name: string, args: BuiltImageArgs, repository: ecr.Repository): dockerBuild.Image {
    const { root, stack, npmToken, transform } = args;
    const agents = copyProject(args.agents ?? `${root}/app/agents`, `${root}/node_modules/.cache/switchyard`, root);
    const variables = [...args.variables].sort().join(",");
    // The bundled agents are part of the app, and so of its hash.
    const parts = [contentHash(root, appContext), ...(args.agents === undefined ? [] : [contentHash(agents)])];
    const hash = [...parts, ...(variables === "" ? [] : [textHash(variables)])].join("-");
    const login = ecr.getAuthorizationTokenOutput({ registryId: repository.registryId }, { parent: this });
    const image: dockerBuild.ImageArgs = {
      context: { location: root, named: { agents: { location: agents } } },
      dockerfile: { location: `${root}/app/Dockerfile` },
      buildArgs: { AGENT_ENVIRONMENT: variables },
      platforms: [platform],
      tags: [interpolate`${repository.repositoryUrl}:${tagPrefix(stack)}-${hash}`],
      push: true,
      buildOnPreview: false,
      registries: [{ address: repository.repositoryUrl, username: login.userName, password: secret(login.password) }],
      // A token that was renewed is no reason to build again.
      ...(npmToken === undefined
        ? {}
        : { secrets: { NPM_TOKEN: secret(npmToken) }, ignoreSecretsInDiffCalculation: ["NPM_TOKEN"] }),
    };
    return new dockerBuild.Image(name, transformed(image, transform?.image), { parent: this });
  }
}

function pullFrom(repositoryArn: Output<string> | string): Statement[] {
  return [
    { actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
    {
      actions: ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
      resources: [repositoryArn],
    },
  ];
}

/** A tag holds 128 letters, digits, dots, dashes and underscores, and begins with none of the marks. */
function tagPrefix(stack: string): string {
  return stack.replace(/^[^A-Za-z0-9]+/, "").slice(0, 60) || "stack";
}
