import type { FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.ts';
import type { AccessRecorder } from './access-recorder.ts';
import type { AppServices } from './app-services.ts';
import type { RunWatchers } from './run-watchers.ts';

/** What every route stands on. */
export interface RouteContext {
  readonly services: AppServices;
  readonly recorder: AccessRecorder;
  readonly watchers: RunWatchers;
  /** Before the paths of links; empty: links are paths. */
  readonly linkBase: string;
  readonly timeouts: { readonly uploadMs: number; readonly slowWatcherMs: number; readonly heartbeatMs: number };
  readonly maxWatchers: number;
  /** How many event streams are open. */
  readonly streams: { open: number };
  /** Aborted when the gateway stops: streams end so that they can be resumed. */
  readonly stopping: AbortSignal;
}

/** Whoever passed the gate. A route without a caller is a defect, and answers nothing. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new TypeError('The route was reached without a caller');
  return request.caller;
}

export function idOf(request: FastifyRequest): string {
  return (request.params as { readonly id: string }).id;
}
