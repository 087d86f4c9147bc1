/** All cases of the JavaScript SDK. */
import type { Case } from "../cases.js";
import { assistantCases } from "./assistants.js";
import { killCases, reconnectCases } from "./reconnect.js";
import { runCases } from "./runs.js";
import { storeCases } from "./store.js";
import { streamCases } from "./streams.js";
import { threadStateCases } from "./threadStates.js";
import { threadCases } from "./threads.js";

/** Of one server already. */
export const coreCases: Case[] = [
  ...[...reconnectCases, ...streamCases, ...runCases],
  ...[...threadCases, ...threadStateCases, ...assistantCases, ...storeCases],
];

/** Of several servers. */
export const wideCases: Case[] = [...coreCases, ...killCases];
