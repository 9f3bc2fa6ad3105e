import { type Logger, pino } from 'pino';
import type { GatewayConfig } from '../config/gateway-config.ts';

/** Where lines go; standard output unless it is said otherwise. */
export interface LogTarget {
  write(line: string): void;
}

/**
 * The gateway's log: a JSON object a line. Requests and errors are told by their facts only; whatever else is handed over
 * under the names that hold headers, bodies and tokens is dropped, because a log is read by more people than the API.
 */
export function gatewayLog({ level }: GatewayConfig['logging'], target?: LogTarget): Logger {
  const options = {
    level,
    base: { service: 'plumbline-gateway' },
    serializers: { req: nothing, res: nothing, err: errorFacts, error: errorFacts },
  };
  return target === undefined ? pino(options) : pino(options, target);
}

function nothing(): undefined {
  return undefined;
}

/** A message may quote what it was given; ours do not, and of others the kind and the place are enough. */
function errorFacts(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code } = error as NodeJS.ErrnoException;
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  return { type: error.name, code, stack: frames.join('\n') };
}
