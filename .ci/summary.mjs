// The closing line of a CI run, from vitest's JSON report and from that of the conformance suite.
import { readFileSync } from "node:fs";

const [tests, conformance] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")));
const passed = tests.numPassedTests + conformance.passed;
const failed = tests.numFailedTests + conformance.failed.length;
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(tests.numPassedTests > 0 && conformance.passed > 0 && failed === 0 ? 0 : 1);
