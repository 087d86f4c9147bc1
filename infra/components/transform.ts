/**
 * Components have opinions; a transform is how a user overrides any of them without forking. Every component takes one
 * for each child that is worth it.
 */

/** Fields to set, or a function from the arguments to new ones. @example { engineVersion: "9.0" } */
export type Transform<Args> = Partial<Args> | ((args: Args) => Args);

/** The arguments as the user wants them. */
export function transformed<Args extends object>(args: Args, transform: Transform<Args> | undefined): Args {
  return typeof transform === "function" ? transform(args) : { ...args, ...transform };
}
