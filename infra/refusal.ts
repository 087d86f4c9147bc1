/** An error that stops the program with a sentence for the one who set the stack up. */
import { RunError } from "@pulumi/pulumi";

/** Without a stack: nobody needs it, and some versions of Node take half a minute to colour the lines of Pulumi's. */
export function refusal(message: string): RunError {
  const error = new RunError(message);
  error.stack = message;
  return error;
}
