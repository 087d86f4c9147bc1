/** Keys without effect: refused where leaving them out would open or break something, else named. */
import { z } from "zod";
import { ProjectError } from "./error.js";
import type { Environment, Source } from "./source.js";

const REFUSED: Record<string, string> = {
  auth: "its rules would not be applied, and everybody with an API key would see everything",
  encryption: "nothing would be encrypted",
};
/** Variables of the platform's that ask for what is refused. */
const REFUSED_VARIABLES: Record<string, string> = { LANGGRAPH_AES_KEY: "nothing would be encrypted" };
const OF_PYTHON = ["python_version", "pip_config_file", "pip_installer", "source", "keep_pkg_tools"];
const OF_THE_IMAGE = [
  "dockerfile_lines",
  "base_image",
  "image_distro",
  "api_version",
  "docker_compose_file",
  "_INTERNAL_docker_tag",
];
const UNDERSTOOD = [
  "$schema",
  "graphs",
  "env",
  "node_version",
  "store",
  "checkpointer",
  "http",
  "webhooks",
  "ui",
  "ui_config",
];

/**
 * An object of keys that each restrict something: one that is misspelt would leave that open, so none but these may be there.
 * @param form what is said of a value that is no object
 */
export function onlyKeys<Shape extends z.ZodRawShape>(shape: Shape, form: string) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `has no key "${issue.keys[0]}"; it may have ${Object.keys(shape).join(", ")}`
        : form,
  });
}

/** @param json as it is written: a schema drops them @returns those that are not in the schema */
export function unknownKeys(json: unknown, shape: z.ZodRawShape): string[] {
  return Object.keys(json ?? {}).filter((key) => !Object.hasOwn(shape, key));
}

/** @throws ProjectError */
export function refuseKeys({ json, originOf }: Source, environment: Environment): void {
  const key = Object.keys(REFUSED).find((name) => json[name] != null);
  if (key)
    throw new ProjectError(
      `${originOf(key)}: "${key}" is not supported: ${REFUSED[key]}; take the key out to go on without it`,
    );
  const variable = Object.keys(REFUSED_VARIABLES).find((name) => environment[name]);
  if (variable)
    throw new ProjectError(
      `${variable} is not supported: ${REFUSED_VARIABLES[variable]}; take the variable out to go on without it`,
    );
}

export function unusedKeys(json: Record<string, unknown>): string[] {
  return (
    Object.keys(json)
      // JavaScript projects carry it, too, as `["."]`, and mean nothing by it.
      .filter((key) => !UNDERSTOOD.includes(key) && key !== "dependencies" && json[key] !== null)
      .map((key) => {
        if (OF_PYTHON.includes(key)) return `"${key}" is for Python graphs and has no effect`;
        if (OF_THE_IMAGE.includes(key)) return `"${key}" is for other image builds and has no effect`;
        return `"${key}" is not supported and has no effect`;
      })
  );
}
