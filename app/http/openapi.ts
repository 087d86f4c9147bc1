/** The OpenAPI 3.1 document: what the routes have registered, and how to authenticate. */
import { type OpenAPIRegistry, OpenApiGeneratorV31 } from "@asteasolutions/zod-to-openapi";

export type OpenApiDocument = ReturnType<OpenApiGeneratorV31["generateDocument"]>;

const TAGS = [
  { name: "assistants", description: "Graphs with defaults, in versions." },
  { name: "threads", description: "What runs build on: states, and their history." },
  { name: "runs", description: "Executions of an assistant, on a thread or without one." },
  { name: "store", description: "Items that all graphs and clients share." },
  { name: "ui", description: "Components that a page shows beside what a graph says." },
  { name: "system", description: "What the server is, and how it is." },
];

export interface ServedApi {
  version: string;
  /** Whether a key is asked for. */
  keyed: boolean;
  /** Where all paths begin, or "". */
  mountPrefix: string;
}

export function openApiDocument(
  registry: OpenAPIRegistry,
  { version, keyed, mountPrefix }: ServedApi,
): OpenApiDocument {
  const { components, ...document } = new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: "3.1.0",
    info: {
      title: "Switchyard",
      version,
      description: "LangGraph agents on your own AWS, over the LangGraph Agent Server API.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: mountPrefix || "/" }],
    tags: TAGS,
    ...(keyed && { security: [{ apiKey: [] }, { bearer: [] }] }),
  });
  return {
    ...document,
    components: {
      ...components,
      securitySchemes: {
        apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
        bearer: { type: "http", scheme: "bearer", description: "the same key" },
      },
    },
  };
}
