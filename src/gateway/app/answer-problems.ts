import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GatewayMetrics } from './gateway-metrics.ts';
import { asProblem, type FieldProblem, PROBLEM_TYPE, Problem, type ProblemCode, problemDocument } from './problem.ts';

/** Errors of the framework, whose messages may quote the request. */
const OF_FRAMEWORK: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body-too-large', 'The body is larger than this route takes'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['content-type-unsupported', 'The body has a type that this route does not take'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['body-malformed', 'The body is empty where JSON is expected'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['body-malformed', 'The body is no JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['request-malformed', 'The body has another length than Content-Length says'],
  FST_ERR_BAD_URL: ['request-malformed', 'The request target cannot be read'],
  FST_ERR_MAX_PARAM_LENGTH: ['not-found', 'There is no such path in this API'],
  FST_ERR_NOT_FOUND: ['not-found', 'There is no such path in this API'],
  FST_ERR_HANDLER_TIMEOUT: ['timed-out', 'The gateway did not finish in time; the same request may be sent again'],
  FST_UNDER_PRESSURE: ['overloaded', 'The gateway has too much to do'],
};

/** Makes every answer that is no success a problem document. */
export function answerProblems(app: FastifyInstance, metrics: GatewayMetrics): void {
  app.setErrorHandler((error: FastifyError, request, reply) => sendProblem(problemOf(error), request, reply, metrics));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new Problem('not-found', 'There is no such path in this API'), request, reply, metrics),
  );
}

export function problemOf(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  if (error.validation !== undefined) return invalid(error);
  const known = OF_FRAMEWORK[error.code];
  if (known !== undefined) return new Problem(...known, { cause: error });
  if (error instanceof SyntaxError) return new Problem('body-malformed', 'The body is no JSON that is allowed here');
  return asProblem(error);
}

export function sendProblem(
  problem: Problem,
  request: FastifyRequest,
  reply: FastifyReply,
  metrics: GatewayMetrics,
): FastifyReply {
  const { code, status, facts } = problem;
  metrics.refused(code, facts.reason);
  if (status >= 500) request.log.error({ code, cause: describe(facts.cause) }, 'request failed');
  else request.log.info({ code, reason: facts.reason }, 'request refused');
  if (status === 401) reply.header('www-authenticate', challenge(problem));
  // What is left of a body that was not read must not be taken for the next request.
  if (status === 413 || status === 408) reply.header('connection', 'close');
  return reply
    .code(status)
    .headers({ ...facts.headers, 'cache-control': 'no-store' })
    .type(PROBLEM_TYPE)
    .send(problemDocument(problem, request.id));
}

/** RFC 6750 §3: nothing but the scheme for a request without a token. */
function challenge({ code, facts: { reason } }: Problem): string {
  if (code === 'token-missing') return 'Bearer realm="plumbline"';
  const description = reason === undefined ? code : `${code}: ${reason}`;
  return `Bearer realm="plumbline", error="invalid_token", error_description="${description}"`;
}

function invalid({ validation, validationContext }: FastifyError): Problem {
  const problems = (validation ?? []).slice(0, 20).map((entry): FieldProblem => {
    const { instancePath, keyword, params, message = 'is not valid' } = entry;
    const name = params['additionalProperty'] ?? params['missingProperty'] ?? params['propertyName'];
    const path = [
      validationContext === 'querystring' ? 'query' : (validationContext ?? 'request'),
      ...instancePath.split('/').slice(1),
    ];
    const isKnown = typeof name === 'string' && keyword === 'required';
    return { field: [...path, ...(isKnown ? [name] : [])].join('.').slice(0, 256), message: worded(keyword, message) };
  });
  const first = problems[0];
  return new Problem('request-invalid', `The request is not valid: ${first?.field} ${first?.message}`, { problems });
}

function worded(keyword: string, message: string): string {
  if (keyword === 'additionalProperties') return 'has a field that is not known';
  return keyword === 'required' ? 'is missing' : message;
}

/** For the log of the operator: ours say what failed, others where. Never a body. */
function describe(cause: unknown): string | undefined {
  if (cause === undefined) return undefined;
  return cause instanceof Error ? (cause.stack ?? cause.message) : typeof cause;
}
