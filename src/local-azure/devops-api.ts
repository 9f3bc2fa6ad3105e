import type { Clock } from '#core/clock.ts';
import { DevOpsError } from './devops-error.ts';
import type { Incoming } from './exchange.ts';
import type { IdTokens } from './id-tokens.ts';
import type { TokenHolder } from './job-tokens.ts';
import type { PipelineRun } from './pipeline-run.ts';
import type { World } from './world.ts';

/** One authenticated call of the REST API, its path taken apart. */
export interface ApiCall {
  readonly request: Incoming;
  readonly values: Readonly<Record<string, string>>;
  readonly holder: TokenHolder;
  readonly run: PipelineRun;
  readonly world: World;
  readonly idTokens: IdTokens;
  readonly clock: Clock;
}

/** What a resource of one run needs of a call, whoever makes it. */
export type RunCall = Pick<ApiCall, 'request' | 'values' | 'run' | 'world'>;

/** `undefined`: no body. Bytes are sent as `application/octet-stream`. */
export type ApiHandler = (call: ApiCall) => unknown;

/** By HTTP method. */
export type ApiResource = Readonly<Record<string, ApiHandler>>;

export function list(value: readonly unknown[]): { count: number; value: readonly unknown[] } {
  return { count: value.length, value };
}

/** The JSON body, which must come as one of these content types. */
export function jsonBody({ request }: Pick<ApiCall, 'request'>, ...types: readonly string[]): unknown {
  const type =
    String(request.headers['content-type'] ?? '')
      .split(';')[0]
      ?.trim()
      .toLowerCase() ?? '';
  if (!types.includes(type)) {
    throw new DevOpsError(
      415,
      'UnsupportedMediaTypeException',
      `The request indicated a Content-Type of "${type}" for method type "${request.method}" which is not supported. Valid content types for this method are: ${types.join(', ')}.`,
    );
  }
  try {
    return JSON.parse(request.body.toString('utf8'));
  } catch {
    throw new DevOpsError(400, 'InvalidRequestException', 'The request body is no valid JSON.', 'System.Web');
  }
}
