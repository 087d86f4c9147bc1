/** Each answer carries the id under which the log speaks of its request. */
import type { RequestHandler, Response } from "express";
import { v7 } from "uuid";

const HEADER = "x-request-id";

export const nameRequest: RequestHandler = (_request, response, next) => {
  response.setHeader(HEADER, v7());
  next();
};

export function requestIdOf(response: Response): string {
  return String(response.getHeader(HEADER));
}
