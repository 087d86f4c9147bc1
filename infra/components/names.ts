/**
 * Names where AWS wants one from us. Wherever Pulumi can make a name, it does: a fixed name makes every replacement
 * fail, because the new resource exists before the old one is gone.
 */
import { createHash } from "node:crypto";

/**
 * `switchyard-<stack>-<part>` in lower-case letters, digits and single dashes, at most `limit` characters. Where
 * something had to be changed, a hash of the whole keeps different stacks apart.
 * @example boundedName("dev", "app", 40) === "switchyard-dev-app"
 */
export function boundedName(stack: string, part: string, limit: number): string {
  const wanted = `switchyard-${stack}-${part}`;
  const safe = wanted
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/-+$/, "");
  if (safe === wanted && safe.length <= limit) return safe;
  const hash = createHash("sha256").update(wanted).digest("hex").slice(0, 8);
  return `${safe.slice(0, limit - hash.length - 1).replace(/-+$/, "")}-${hash}`;
}
