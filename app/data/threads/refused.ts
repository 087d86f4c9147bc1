/** A refusal that a handler turns into a status. */
export class ThreadRefused extends Error {
  override name = "ThreadRefused";

  constructor(
    readonly reason: "too_much" | "busy",
    message: string,
  ) {
    super(message);
  }
}
