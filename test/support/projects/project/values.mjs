export const settings = { compile: "later" };

export function makeNothing() {
  return settings;
}
