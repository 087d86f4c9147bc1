/** The key `http`: which parts of the API are served. */
import { z } from "zod";

export interface HttpConfig {
  disableWebhooks: boolean;
}

const FORM = 'must be an object such as {"disable_webhooks": true}';

export const Http = z.object({ disable_webhooks: z.boolean("must be true or false").nullish() }, FORM);

export function httpConfig(given: z.infer<typeof Http> | null | undefined): HttpConfig {
  return { disableWebhooks: given?.disable_webhooks ?? false };
}
