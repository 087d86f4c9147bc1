// The closing line of a CI run, from vitest's JSON report.
import { readFileSync } from "node:fs";

const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(process.argv[2], "utf8"));
process.stdout.write(`${numPassedTests} passed, ${numFailedTests} failed\n`);
process.exit(numPassedTests > 0 && numFailedTests === 0 ? 0 : 1);
