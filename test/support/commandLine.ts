/** What the command lines of the suites that are programs have in common. */
import { type ParseArgsConfig, parseArgs } from "node:util";

/** Wrong usage: the sentence says what is allowed. */
export class UsageError extends Error {}

/** @throws UsageError for an option that is not among these, or lacks its value */
export function parseOptions<const Options extends NonNullable<ParseArgsConfig["options"]>>(
  args: string[],
  options: Options,
) {
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
