/**
 * Values as Pulumi sends them between a program and its engine: JSON in which a secret, an unknown or a reference is an
 * object with a signature (pulumi/pulumi, sdk/nodejs/runtime/rpc.ts).
 */

const signature = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const outputSignature = "d0e6a833031e9bbcd3f4e8bde6ca49a4";

/** Stands for a value that only a deployment will know. */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export type Values = Record<string, unknown>;

export interface Decoded {
  /** With secrets unwrapped and unknowns left as they are. */
  values: Values;
  /** Paths below which everything is secret, such as `passwords` or `registries[0].password`. */
  secretPaths: string[];
}

export function decode(values: Values): Decoded {
  const secretPaths: string[] = [];
  const decoded = decodeObject(values, "", secretPaths);
  return { values: decoded, secretPaths };
}

function decodeValue(value: unknown, path: string, secretPaths: string[]): unknown {
  if (Array.isArray(value)) return value.map((item, index) => decodeValue(item, `${path}[${index}]`, secretPaths));
  if (!isValues(value)) return value;
  if (value[signature] === secretSignature) {
    secretPaths.push(path);
    return decodeValue(value.value, path, secretPaths);
  }
  if (value[signature] === outputSignature) {
    if (value.secret === true) secretPaths.push(path);
    return "value" in value ? decodeValue(value.value, path, secretPaths) : unknown;
  }
  return decodeObject(value, path, secretPaths);
}

function decodeObject(values: Values, path: string, secretPaths: string[]): Values {
  const prefix = path === "" ? "" : `${path}.`;
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, decodeValue(value, `${prefix}${key}`, secretPaths)]),
  );
}

/** Marks a value as secret. */
export function secret(value: unknown): Values {
  return { [signature]: secretSignature, value };
}

export function isValues(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
