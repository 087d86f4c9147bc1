/** Where an error was thrown: the lines of its stack, without its message, which may hold what a user sent. */
export function stackFrames(error: unknown): string[] {
  return error instanceof Error ? (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : [];
}
