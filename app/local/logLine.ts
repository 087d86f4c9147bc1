/** A role's log line as a person reads it at a terminal: `14:03:07 run started  runId=… graphId=echo`. */

const SHOWN_OTHERWISE = new Set(["level", "time", "instance", "role", "event", "msg"]);
const WARN = 40;

/** @param line what a role wrote: one of pino's JSON lines, or anything else, which stays as it is */
export function readable(line: string): string {
  const entry = parse(line);
  if (!entry) return line;
  const time = String(entry.time).slice(11, 19);
  const level = Number(entry.level) >= WARN ? `${Number(entry.level) > WARN ? "error" : "warning"}: ` : "";
  const details = Object.entries(entry)
    .filter(([name]) => !SHOWN_OTHERWISE.has(name))
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return `${time} ${level}${entry.msg}${details.length > 0 ? " " : ""}${details.join("")}`;
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{"level":')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
