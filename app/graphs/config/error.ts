/** A project that can't run: the message is a sentence for its author. The process ends with exit code 2. */
export class ProjectError extends Error {
  override name = "ProjectError";
}
