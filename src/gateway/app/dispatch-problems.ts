import { PlumblineError } from '#core/errors.ts';
import { asProblem, Problem, type ProblemCode } from './problem.ts';

const CODES: Readonly<Partial<Record<string, ProblemCode>>> = {
  ERR_PIPELINE_DENIED: 'pipeline-denied',
  ERR_PIPELINE_REFUSED: 'pipeline-refused',
  ERR_RUN_KEY_REUSED: 'pipeline-key-reused',
  ERR_RUN_UNKNOWN: 'pipeline-run-not-found',
};

/** What is thrown about a pipeline run, as a problem; what is none of them passes. The remedy is told with it. */
export function dispatchProblem(thrown: unknown): unknown {
  if (!(thrown instanceof PlumblineError)) return thrown;
  const code = CODES[thrown.code];
  if (code === undefined) return withField(thrown);
  const { reason } = thrown.details;
  const detail = code === 'pipeline-refused' && thrown.remedy ? `${thrown.message}. ${thrown.remedy}` : thrown.message;
  return new Problem(code, detail, { ...(typeof reason === 'string' && { reason }), cause: thrown });
}

function withField(error: PlumblineError): Problem {
  const problem = asProblem(error);
  const { field } = error.details;
  if (error.code !== 'ERR_INPUT_INVALID' || typeof field !== 'string') return problem;
  const message = error.message.slice(error.message.indexOf(field) + field.length + 1);
  return new Problem(problem.code, problem.message, { problems: [{ field: `body.${field}`, message }] });
}
