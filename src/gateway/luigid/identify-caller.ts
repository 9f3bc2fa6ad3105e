import type { IncomingMessage } from 'node:http';
import type { Clock } from '#core/clock.ts';
import type { Entrance } from '../app/front.ts';
import { Problem } from '../app/problem.ts';
import { bearerOf } from '../app/request-headers.ts';
import { isWorkerToken, type WorkerTokens } from '../auth/worker-tokens.ts';
import type { Policy } from '../policy/policy.ts';
import type { Person } from '../sign-in/person-sessions.ts';
import type { Visitors } from '../sign-in/visitors.ts';
import type { Workers } from '../workers/worker.ts';
import type { LuigidCaller } from './luigid-caller.ts';

/** Who knows whom. Without input and output: each call asks all of it anew. */
export interface CallerSources {
  readonly workers: Workers;
  readonly tokens: Pick<WorkerTokens, 'verify' | 'isSchedulerPassword'>;
  readonly policy: () => Pick<Policy, 'anonymous' | 'namespacesOf'>;
  /** Absent: nobody can sign in. */
  readonly visitors?: Visitors | undefined;
  readonly clock: Pick<Clock, 'now'>;
}

/** Nobody who may call. */
export interface Unidentified {
  readonly kind: 'refused';
  readonly problem: Problem;
  /** A credential was brought, and it is not good. */
  readonly badCredential: boolean;
  /** Whose credential it is, when that is certain. */
  readonly workerId?: string | undefined;
}

const BASIC = /^Basic +([A-Za-z0-9+/]{4,512}={0,2})$/i;

/** @param address absent on a socket, where only workers are */
export function identifyCaller(
  { headers }: Pick<IncomingMessage, 'headers'>,
  entrance: Entrance,
  address: string,
  sources: CallerSources,
): LuigidCaller | Unidentified {
  const visitor = entrance !== 'listener' ? undefined : sources.visitors?.visitorOf(headers.cookie);
  const isVisitor = visitor !== undefined && visitor.kind !== 'nobody';
  if (headers.authorization !== undefined) {
    if (!isVisitor) return workerBy(headers.authorization, entrance, sources);
    return refused(new Problem('header-ambiguous', 'The request has a worker credential and the cookie of a session'));
  }
  if (visitor?.kind === 'known') {
    const { person, permission } = visitor;
    return { kind: 'person', id: person.id, facts: factsOf(person), permission };
  }
  if (isVisitor) return refused(new Problem('viewer-unknown', 'No viewer of the policy knows who signed in'));
  const anonymous = entrance !== 'listener' ? undefined : sources.policy().anonymous(address, sources.clock.now());
  if (anonymous !== undefined) return { kind: 'anonymous', address, ...anonymous };
  return refused(new Problem('sign-in-needed', 'The request brings neither the credential of a worker nor a session'));
}

/** As the audit names whoever signed in. */
function factsOf({ iss, subject }: Person) {
  return { issuer: 'sign-in', iss, subject };
}

function workerBy(
  authorization: string,
  entrance: Entrance,
  { workers, tokens, policy }: CallerSources,
): LuigidCaller | Unidentified {
  const id = workerIdOf(authorization, tokens);
  if (id === undefined) return unknown('credential', 'The credential is that of no worker');
  const worker = workers.find(id);
  if (worker === undefined) return unknown('ended', 'The worker is not alive any more', id);
  if (entrance !== 'listener' && workers.uidOf(worker) !== entrance.uid)
    return unknown('other-user', 'The worker runs as another Unix user than those who may use this socket', id);
  const { allowed, mode, policy: sha256, binding } = workers.decide(worker);
  if (!allowed)
    return refused(
      new Problem('luigid-denied', 'The policy does not allow this worker any more', { reason: 'run-denied' }),
      id,
    );
  const namespaces = policy().namespacesOf(worker.role);
  return { kind: 'worker', worker, namespaces, mode, policy: sha256, binding };
}

function workerIdOf(authorization: string, tokens: CallerSources['tokens']): string | undefined {
  const bearer = bearerOf(authorization);
  if (bearer !== undefined) return isWorkerToken(bearer) ? verified(bearer, tokens) : undefined;
  const encoded = BASIC.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString('latin1');
  const colon = pair.indexOf(':');
  const id = pair.slice(0, Math.max(0, colon));
  return colon > 0 && tokens.isSchedulerPassword(id, pair.slice(colon + 1)) ? id : undefined;
}

function verified(token: string, tokens: CallerSources['tokens']): string | undefined {
  try {
    return tokens.verify(token);
  } catch {
    // Its one reason is said in the words of this front.
    return undefined;
  }
}

function unknown(reason: string, detail: string, workerId?: string): Unidentified {
  return { kind: 'refused', problem: new Problem('worker-unknown', detail, { reason }), badCredential: true, workerId };
}

function refused(problem: Problem, workerId?: string): Unidentified {
  return { kind: 'refused', problem, badCredential: false, workerId };
}
