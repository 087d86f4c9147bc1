/**
 * The resource monitor: what Pulumi's engine is to a program. It takes every registration, lets transforms change it,
 * records it, and answers with what the cloud would have made; in a preview it answers nothing that only a deployment
 * knows.
 */
import grpc from "@grpc/grpc-js";
import callbackServices from "@pulumi/pulumi/proto/callback_grpc_pb.js";
import callbacks from "@pulumi/pulumi/proto/callback_pb.js";
import providers from "@pulumi/pulumi/proto/provider_pb.js";
import proto from "@pulumi/pulumi/proto/resource_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import { create, lookUp, type Surroundings } from "./cloud.js";
import type { RecordedResource } from "./recording.js";
import { createVpc } from "./vpcComponent.js";
import { decode, isValues, secret, unknown, type Values } from "./wire.js";

/** A transform that a program hung on a resource: an address to call and a token that names it. */
interface Transform {
  target: string;
  token: string;
}

interface Registration {
  type: string;
  name: string;
  parent: string;
  custom: boolean;
  inputs: Values;
  protect: boolean;
  ignoreChanges: string[];
  replaceOnChanges: string[];
  retainOnDelete: boolean;
  timeouts: RecordedResource["timeouts"];
  dependencies: string[];
  secretOutputs: string[];
  transforms: Transform[];
}

const noOptions = {
  protect: false,
  ignoreChanges: [],
  replaceOnChanges: [],
  retainOnDelete: false,
  timeouts: { create: "", update: "", delete: "" },
  dependencies: [],
  secretOutputs: [],
  transforms: [],
};

export class Monitor {
  readonly resources: RecordedResource[] = [];
  outputs: Values = {};
  secretOutputs: string[] = [];
  private readonly transforms = new Map<string, Transform[]>();
  private readonly clients = new Map<string, callbackServices.CallbacksClient>();

  constructor(
    private readonly stack: string,
    private readonly project: string,
    private readonly preview: boolean,
    private readonly surroundings: Surroundings,
  ) {}

  /** Registers what a program asks for. */
  async registerResource(request: proto.RegisterResourceRequest): Promise<proto.RegisterResourceResponse> {
    const timeouts = request.getCustomtimeouts();
    const { resource, state } = await this.register({
      type: request.getType(),
      name: request.getName(),
      parent: request.getParent(),
      custom: request.getCustom(),
      inputs: fromStruct(request.getObject()),
      protect: request.getProtect() ?? false,
      ignoreChanges: request.getIgnorechangesList(),
      replaceOnChanges: request.getReplaceonchangesList(),
      retainOnDelete: request.getRetainondelete() ?? false,
      timeouts: {
        create: timeouts?.getCreate() ?? "",
        update: timeouts?.getUpdate() ?? "",
        delete: timeouts?.getDelete() ?? "",
      },
      dependencies: request.getDependenciesList(),
      secretOutputs: request.getAdditionalsecretoutputsList(),
      transforms: request.getTransformsList().map((each) => ({ target: each.getTarget(), token: each.getToken() })),
    });
    const outputs = request.getRemote() ? await this.construct(resource) : state;
    return new proto.RegisterResourceResponse()
      .setUrn(resource.urn)
      .setId(resource.id)
      .setObject(structs.Struct.fromJavaScript(json(outputs)));
  }

  /** Answers a look-up. @throws where there is nothing to find */
  invoke(request: proto.ResourceInvokeRequest): providers.InvokeResponse {
    const { values } = decode(fromStruct(request.getArgs()));
    const answer = lookUp(request.getTok(), values, this.surroundings);
    return new providers.InvokeResponse().setReturn(structs.Struct.fromJavaScript(json(answer)));
  }

  /** Outputs of components are of no interest, but those of the stack are its result. */
  registerOutputs(urn: string, outputs: structs.Struct | undefined): void {
    if (!urn.includes("::pulumi:pulumi:Stack::")) return;
    const { values, secretPaths } = decode(fromStruct(outputs));
    this.outputs = values;
    this.secretOutputs = secretPaths;
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
  }

  private async register(registration: Registration): Promise<{ resource: RecordedResource; state: Values }> {
    const { type, name, parent, custom } = registration;
    const urn = `urn:pulumi:${this.stack}::${this.project}::${type}::${name}`;
    if (this.resources.some((resource) => resource.urn === urn)) throw new Error(`duplicate resource URN ${urn}`);
    this.transforms.set(urn, registration.transforms);
    const inputs = await this.transformed(urn, registration);
    const { values, secretPaths } = decode(inputs);
    const made = custom && !this.preview ? create({ type, name, inputs: values }, this.surroundings) : undefined;
    const resource: RecordedResource = {
      urn,
      type,
      name,
      parent: parent || undefined,
      custom,
      inputs: values,
      secretPaths,
      id: made?.id ?? "",
      outputs: made?.outputs ?? {},
      protect: registration.protect,
      ignoreChanges: registration.ignoreChanges,
      replaceOnChanges: registration.replaceOnChanges,
      retainOnDelete: registration.retainOnDelete,
      timeouts: registration.timeouts,
      dependencies: registration.dependencies,
    };
    this.resources.push(resource);
    const outputs = Object.entries(resource.outputs).map(([key, value]) => [
      key,
      registration.secretOutputs.includes(key) ? secret(value) : value,
    ]);
    return { resource, state: { ...inputs, ...Object.fromEntries(outputs) } };
  }

  /** The inputs after the transforms of the resource, its parent, its parent's parent and so on. */
  private async transformed(urn: string, { type, name, parent, custom, inputs }: Registration): Promise<Values> {
    let result = inputs;
    const ancestors = [urn];
    for (let next: string | undefined = parent; next; next = this.parentOf(next)) ancestors.push(next);
    for (const { target, token } of ancestors.flatMap((ancestor) => this.transforms.get(ancestor) ?? [])) {
      const request = new proto.TransformRequest()
        .setType(type)
        .setName(name)
        .setParent(parent)
        .setCustom(custom)
        .setProperties(structs.Struct.fromJavaScript(json(result)))
        .setOptions(new proto.TransformResourceOptions());
      const answer = proto.TransformResponse.deserializeBinary(
        await this.call(target, token, request.serializeBinary()),
      ).getProperties();
      if (answer !== undefined) result = fromStruct(answer);
    }
    return result;
  }

  private parentOf(urn: string): string | undefined {
    return this.resources.find((resource) => resource.urn === urn)?.parent;
  }

  private async call(target: string, token: string, request: Uint8Array): Promise<Uint8Array> {
    let client = this.clients.get(target);
    if (client === undefined) {
      client = new callbackServices.CallbacksClient(target, grpc.credentials.createInsecure());
      this.clients.set(target, client);
    }
    const callback = new callbacks.CallbackInvokeRequest().setToken(token).setRequest(request);
    const calling = client;
    return await new Promise((resolve, reject) =>
      calling.invoke(callback, (error, response) => (error ? reject(error) : resolve(response.getResponse_asU8()))),
    );
  }

  /** A component whose children another process would make. */
  private async construct({ type, name, urn, inputs }: RecordedResource): Promise<Values> {
    if (type !== "awsx:ec2:Vpc") throw new Error(`the engine can't construct ${type}`);
    const zones = Array.from({ length: zonesOf(inputs) }, (_, index) => this.surroundings.region + "abcdef"[index]);
    return await createVpc(name, urn, inputs, zones, async (childType, childName, parent, childInputs) => {
      const child = { type: childType, name: childName, parent, custom: true, inputs: childInputs };
      const { resource } = await this.register({ ...noOptions, ...child });
      return { urn: resource.urn, id: resource.id || unknown };
    });
  }
}

/** As many as are asked for; awsx takes three where nobody says. */
function zonesOf({ numberOfAvailabilityZones }: Values): number {
  return typeof numberOfAvailabilityZones === "number" ? numberOfAvailabilityZones : 3;
}

function fromStruct(struct: structs.Struct | undefined): Values {
  const values: unknown = struct?.toJavaScript();
  return isValues(values) ? values : {};
}

type Json = Parameters<typeof structs.Struct.fromJavaScript>[0];

/** Values as a protobuf struct takes them: no undefined. */
function json(values: Values): Json {
  return JSON.parse(JSON.stringify(values));
}
