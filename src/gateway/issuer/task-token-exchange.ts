import type { JsonValue } from '#core/json.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { AuditData, AuditType } from '../audit/audit-types.ts';
import { redactJson } from '../audit/redaction-guard.ts';
import type { Decision, Policy } from '../policy/policy.ts';
import type { TaskDecision, TaskIdentity } from '../policy/task-identity.ts';
import { auditedCaller } from '../runs/run-journal.ts';
import type { Worker, Workers } from '../workers/worker.ts';
import { type IdentityRefusal, identityRejected } from './identity-rejected.ts';
import type { TaskToken, TaskTokenRequest, TaskTokens } from './task-tokens.ts';
import type { IssuedToken, TokenClaims, TokenIssuer } from './token-issuer.ts';

export interface ExchangeOptions {
  readonly workers: Workers;
  /** The policy that is in force now. */
  readonly policy: () => Pick<Policy, 'decideTask'>;
  readonly issuer: TokenIssuer;
  readonly audit: Pick<AuditLog, 'append'>;
}

/** Of a task without an identity of its own. */
const NOBODY = 'plumbline:task';
/** A library that caches the file for as long as a token lives never meets one that is over. */
const RENEWALS = 10;
/** Policies that come one after the other while tokens are made. */
const MOST_TRIES = 3;

/** What is granted to a task. */
interface Grant {
  readonly decision: Decision;
  readonly identity?: TaskIdentity | undefined;
  readonly audience: string;
}

/**
 * The exchange at the start of each task. The token is signed before it is recorded, because the record names it, and handed
 * out when the record stands and the worker and the policy still are what they were: no record, no token.
 */
export function taskTokenExchange({ workers, policy, issuer, audit }: ExchangeOptions): TaskTokens {
  return { exchange };

  async function exchange(worker: Worker, wanted: TaskTokenRequest): Promise<TaskToken> {
    let issued: IssuedToken | undefined;
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const grant = await granted(worker, wanted, issued);
      issued = await issuer.issue(claimsOf(worker, wanted, grant));
      await record('identity.issued', worker, { ...audited(worker, wanted, grant), ...auditedToken(grant, issued) });
      const still = await granted(worker, wanted, issued);
      // What was made under a policy that is no longer in force stays here, and the task gets another one.
      if (still.decision.policy === grant.decision.policy) return tokenOf(issued, grant);
    }
    throw await refusal(worker, wanted, { reason: 'policy-changed' }, issued);
  }

  function tokenOf({ token, expiresAt }: IssuedToken, { identity, audience }: Grant): TaskToken {
    return {
      token,
      expiresAt,
      renewAfterSeconds: Math.max(1, Math.floor(issuer.lifetimeSeconds / RENEWALS)),
      audience,
      identity: identity?.name,
      targets: identity?.targets ?? [],
    };
  }

  /** @param issued a token that was signed for it in the meantime and is not handed out when this throws */
  async function granted(worker: Worker, wanted: TaskTokenRequest, issued?: IssuedToken): Promise<Grant> {
    const judged = judge(worker, wanted);
    if ('reason' in judged) throw await refusal(worker, wanted, judged, issued);
    return judged;
  }

  function judge(worker: Worker, wanted: TaskTokenRequest): Grant | IdentityRefusal {
    if (workers.find(worker.id) !== worker) return { reason: 'worker-unknown' };
    const decision = workers.decide(worker);
    if (!decision.allowed) return { reason: 'run-denied' };
    const task = policy().decideTask(decision, wanted.family);
    if (!task.allowed) return { reason: task.reason, mode: task.mode };
    if (!wanted.taskId.startsWith(`${wanted.family}_`)) return { reason: 'task-mismatch' };
    const asked = askedFor(task, wanted);
    return asked === undefined ? { reason: 'audience' } : { ...asked, decision };
  }

  function askedFor({ identity }: TaskDecision, wanted: TaskTokenRequest): Omit<Grant, 'decision'> | undefined {
    const audiences = identity?.targets.map(({ audience }) => audience) ?? [];
    const [audience = issuer.url] = audiences;
    if (wanted.audience === undefined || wanted.audience === audience) return { identity, audience };
    return audiences.includes(wanted.audience) ? { identity, audience: wanted.audience } : undefined;
  }

  /** On record before it is answered. */
  async function refusal(
    worker: Worker,
    wanted: TaskTokenRequest,
    { reason, mode = 'enforce' }: IdentityRefusal,
    issued?: IssuedToken,
  ): Promise<Error> {
    await record('identity.rejected', worker, {
      ...audited(worker, wanted),
      audience: wanted.audience,
      reason,
      mode,
      allowed: mode === 'report',
      wouldAllow: false,
      errorCode: 'ERR_IDENTITY_REJECTED',
      tokenId: issued?.id,
    });
    return identityRejected({ reason, mode });
  }

  function audited(worker: Worker, { family, taskId, requestId }: TaskTokenRequest, grant?: Grant): AuditData {
    const { id, attempt, role, caller } = worker;
    const { policy: sha256, binding, mode } = grant?.decision ?? workers.decide(worker);
    const who = { caller: auditedCaller(caller), requestId, worker: id, role, attempt };
    return { ...who, family, taskId, policy: sha256, binding, mode };
  }

  async function record(type: IdentityRecord, { runId }: Worker, data: AuditData): Promise<void> {
    const event = { type: `dev.plumbline.${type}` satisfies AuditType, subject: runId };
    await audit.append({
      ...event,
      data: redactJson(data as unknown as JsonValue) as Readonly<Record<string, JsonValue>>,
    });
  }
}

function claimsOf(
  worker: Worker,
  { family, taskId }: TaskTokenRequest,
  { identity, audience, decision }: Grant,
): TokenClaims {
  const { runId: run, attempt, role, caller } = worker;
  return {
    sub: identity?.subject ?? NOBODY,
    aud: audience,
    act: { iss: caller.iss, sub: caller.subject },
    plumbline: { run, attempt, role, family, task: taskId, policy: decision.policy },
  };
}

type IdentityRecord = 'identity.issued' | 'identity.rejected';

function auditedToken({ identity, audience, decision }: Grant, { id, keyId, expiresAt }: IssuedToken): AuditData {
  const { wouldAllow } = decision;
  return { wouldAllow, identity: identity?.name, audience, tokenId: id, keyId, expiresAt };
}
