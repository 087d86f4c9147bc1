/** A role's log line as a person reads it at a terminal: `14:03:07 run started  runId=… graphId=echo`, local time. */

const SHOWN_OTHERWISE = new Set(["level", "time", "stack", "instance", "role", "event", "msg", "frames"]);
const WARN = 40;

/**
 * @param line what a role wrote: one of our JSON lines, or anything else, which stays as it is
 * @returns one line or, with the frames of the user's own code below it, several
 */
export function readable(line: string): string[] {
  const entry = parse(line);
  if (!entry) return [line];
  const time = new Date(String(entry.time)).toTimeString().slice(0, 8);
  const level = Number(entry.level) >= WARN ? `${Number(entry.level) > WARN ? "error" : "warning"}: ` : "";
  const details = Object.entries(entry)
    .filter(([name]) => !SHOWN_OTHERWISE.has(name))
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const sentence = `${time} ${level}${entry.msg}${details.length > 0 ? " " : ""}${details.join("")}`;
  return [...sentence.split("\n"), ...framesOf(entry.frames)];
}

/** Those of the user's code, or all where there are none. */
function framesOf(frames: unknown): string[] {
  if (!Array.isArray(frames)) return [];
  const all = frames.map(String);
  const own = all.filter((frame) => !/node_modules|node:|<anonymous>/.test(frame));
  return own.length > 0 ? own : all;
}

/** A line of ours names its instance and role; a user's own JSON lines don't. */
function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{"level":')) return undefined;
  try {
    const entry = JSON.parse(line);
    return typeof entry.instance === "string" && typeof entry.role === "string" ? entry : undefined;
  } catch {
    return undefined;
  }
}
