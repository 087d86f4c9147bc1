/** The keys `ui` and `ui_config`: components that clients load beside what a graph says (generative user interfaces). */
import { z } from "zod";

export interface UiConfig {
  /** Whom to name where a file is wrong: langgraph.json, or the variable that has taken its place. */
  origin: string;
  /** Files of components, from the project's folder, by the name that clients ask for: as a rule a graph's id. */
  files: Readonly<Record<string, string>>;
  /** Packages that the client's page brings, besides React. */
  shared: string[];
}

const FORM = 'must be a map of graph ids to files such as {"agent": "./src/ui.tsx"}';
const NAME = "must have names of letters, digits, _, - and .";
const SHARED_FORM = 'must be an object such as {"shared": ["some-package"]}';

/** Names become parts of addresses, and of names in JavaScript. */
export const Ui = z.record(
  z.string().regex(/^\w[\w.-]*$/, NAME),
  z.string(FORM).regex(/\.[mc]?[jt]sx?$/, "must be a file that ends with .tsx, .jsx, .ts or .js"),
  FORM,
);
export const UiSettings = z.object({ shared: z.array(z.string(SHARED_FORM), SHARED_FORM).nullish() }, SHARED_FORM);

export function uiConfig(
  origin: string,
  files: z.infer<typeof Ui> | null | undefined,
  settings: z.infer<typeof UiSettings> | null | undefined,
): UiConfig {
  return { origin, files: files ?? {}, shared: settings?.shared ?? [] };
}
