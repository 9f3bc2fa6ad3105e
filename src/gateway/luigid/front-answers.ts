import type { IncomingMessage, ServerResponse } from 'node:http';
import { PROBLEM_TYPE, type Problem, problemDocument } from '../app/problem.ts';
import type { SignInAddress } from '../sign-in/sign-in-address.ts';
import { viewerUnknownPage } from '../sign-in/sign-in-pages.ts';
import { wantsPage } from '../sign-in/wants-page.ts';
import type { CallAnswer } from './luigid-calls.ts';
import type { LuigidPage } from './luigid-pages.ts';

const FIRST_PAGE = 'static/visualiser/index.html';
/** A body that is not read is thrown away while it comes; from here on the connection ends instead. */
const MAX_UNREAD = 65_536;

export function answerCall(response: ServerResponse, requestId: string, { body, age = 0 }: CallAnswer): void {
  if (response.destroyed) return;
  response.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    // RFC 9111 §5.1: luigid said it so many seconds ago.
    ...(age > 0 && { age: String(age) }),
  });
  response.end(body);
}

/** To the first page, relatively: a proxy may serve the gateway below another path. */
export function answerFirstPage(response: ServerResponse, path: string): void {
  redirected(response, path === '/luigid' ? `luigid/${FIRST_PAGE}` : FIRST_PAGE);
}

export function answerPage(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  page: LuigidPage,
): void {
  const known = { ...page.headers, etag: page.etag, 'x-request-id': requestId };
  if (headers['if-none-match'] === page.etag) return void response.writeHead(304, known).end();
  response.writeHead(200, { ...known, 'content-length': page.bytes.length });
  response.end(method === 'HEAD' ? undefined : page.bytes);
}

/** A person's browser is shown the way to the sign-in, or that nobody knows the person; `false`: it is no page that is wanted. */
export function answerSignIn(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  { code }: Problem,
  address: SignInAddress,
): boolean {
  if (request.url?.startsWith('/luigid/api/') || !wantsPage(request)) return false;
  if (code === 'sign-in-needed') {
    redirected(response, address.signIn);
    return true;
  }
  if (code !== 'viewer-unknown') return false;
  const { status, headers, body } = viewerUnknownPage(address, requestId);
  response.writeHead(status, { ...headers }).end(body);
  return true;
}

function redirected(response: ServerResponse, location: string): void {
  response.writeHead(303, { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).end();
}

export function answerProblem(
  { headers }: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  problem: Problem,
): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const body = JSON.stringify(problemDocument(problem, requestId));
  const { status } = problem;
  const unread = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > MAX_UNREAD;
  const isOver = unread && status !== 502;
  response.writeHead(status, {
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    ...(status === 401 && { 'www-authenticate': 'Bearer realm="plumbline"' }),
    ...((isOver || status === 400 || status === 408 || status === 413) && { connection: 'close' }),
    ...problem.facts.headers,
  });
  response.end(body);
}
