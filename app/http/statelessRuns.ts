/** Runs without a thread of the caller's: each has one of its own, with the run's id, which goes with it or is kept. */
import type { Request } from "express";
import { z } from "zod";
import type { Assistants } from "../data/assistants.js";
import type { NewRun } from "../runs/types.js";
import { takenHeaders } from "./configurableHeaders.js";
import type { Resource } from "./resource.js";
import type { RunAnswers } from "./runAnswers.js";
import { CreateHeaders, StatelessRunBody, toNewRun } from "./runRequest.js";
import { JoinHeaders, JoinQuery, joinOptions, RUN_HEADERS, RUN_PLACE } from "./runs.js";
import { Id, RunShape } from "./shapes.js";

const REFUSED = {
  404: "the assistant does not exist",
  409: "the Idempotency-Key was used for another request",
};

export interface StatelessRunsDeps {
  assistants: Pick<Assistants, "forRun">;
  answers: RunAnswers;
}

export function statelessRunRoutes(resource: Resource, { assistants, answers }: StatelessRunsDeps): void {
  const newRun = async (
    body: z.output<typeof StatelessRunBody>,
    headers: z.output<typeof CreateHeaders>,
    rawBody: unknown,
    request: Request,
  ): Promise<NewRun> => {
    const assistant = await assistants.forRun(body.assistant_id);
    const lifetime = body.on_completion;
    const idempotencyKey = headers["idempotency-key"];
    const { path } = request;
    return toNewRun(body, assistant, { lifetime, idempotencyKey, path, rawBody, configurable: takenHeaders(request) });
  };

  resource.post(
    "/runs",
    {
      summary: "Start a stateless run in the background",
      headers: CreateHeaders,
      body: StatelessRunBody,
      answers: { 200: { description: "the run", json: RunShape, headers: RUN_PLACE }, ...REFUSED },
    },
    async ({ headers, body, rawBody, request }) => answers.background(await newRun(body, headers, rawBody, request)),
  );

  resource.post(
    "/runs/stream",
    {
      summary: "Start a stateless run and stream its events",
      headers: CreateHeaders,
      body: StatelessRunBody,
      answers: { 200: { description: "the run's events", events: true, headers: RUN_HEADERS }, ...REFUSED },
    },
    async ({ headers, body, rawBody, request, response }) =>
      answers.stream(await newRun(body, headers, rawBody, request), response, body.on_disconnect === "cancel"),
  );

  resource.post(
    "/runs/wait",
    {
      summary: "Start a stateless run and wait for its end",
      headers: CreateHeaders,
      body: StatelessRunBody,
      answers: {
        200: { description: "the final state", json: z.unknown(), late: true, headers: RUN_HEADERS },
        ...REFUSED,
      },
    },
    async ({ headers, body, rawBody, request, response }) =>
      answers.wait(await newRun(body, headers, rawBody, request), response, body.on_disconnect === "cancel"),
  );

  resource.get(
    "/runs/:run_id/stream",
    {
      summary: "Stream a stateless run's events, from where the client left off",
      params: z.object({ run_id: Id }),
      query: JoinQuery,
      headers: JoinHeaders,
      answers: {
        200: { description: "the run's events", events: true, headers: RUN_HEADERS },
        404: "the run does not exist",
      },
    },
    async ({ params: { run_id: runId }, query, headers, request, response }) =>
      answers.joinStream({ threadId: runId, runId }, response, joinOptions(query, headers, request)),
  );
}
