import fc from "fast-check";
import { expect, test } from "vitest";
import { boundedName } from "../../infra/components/names.js";

/** What Pulumi allows as the name of a stack. */
const stacks = fc.stringMatching(/^[A-Za-z0-9._-]{1,100}$/);

test("a name that AWS wants from us is one that it takes, whatever the stack is called", () => {
  fc.assert(
    fc.property(stacks, fc.integer({ min: 40, max: 255 }), (stack, limit) => {
      expect(boundedName(stack, "app", limit)).toMatch(/^[a-z](-?[a-z0-9])*$/);
      expect(boundedName(stack, "app", limit).length).toBeLessThanOrEqual(limit);
    }),
  );
});

test("stacks of different names never share one", () => {
  fc.assert(
    fc.property(stacks, stacks, (one, other) => {
      fc.pre(one !== other);
      expect(boundedName(one, "app", 40)).not.toBe(boundedName(other, "app", 40));
    }),
  );
  expect(boundedName("Prod", "app", 40)).not.toBe(boundedName("prod", "app", 40));
});
