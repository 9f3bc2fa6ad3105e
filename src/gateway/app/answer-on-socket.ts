import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PROBLEM_TYPE, type Problem, problemDocument } from './problem.ts';

/** For requests on the sockets of workers that nobody else answers. The rest of it is not read: the connection ends. */
export function answerOnSocket(request: IncomingMessage, response: ServerResponse, problem: Problem): void {
  const headers = { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', connection: 'close' };
  const body = JSON.stringify(problemDocument(problem, randomUUID()));
  response.writeHead(problem.status, { ...problem.facts.headers, ...headers }).end(body);
  request.resume();
}
