/** Why the topology can't start. The message is for the user: it says what is wrong and the mend. */
export class StartFailure extends Error {
  override name = "StartFailure";

  /** @param exitCode 1 something crashed, 2 wrong usage or configuration, 3 something needed is missing */
  constructor(
    readonly exitCode: 1 | 2 | 3,
    message: string,
  ) {
    super(message);
  }
}

/** Tells the user what takes its time; a line each. */
export type Progress = (text: string) => void;
