import { createHash } from 'node:crypto';
import { PlumblineError } from '#core/errors.ts';
import type { AuditData } from '../audit/audit-types.ts';
import { canonicalJson, type Encodable } from '../audit/canonical-json.ts';
import type { Caller } from '../auth/caller.ts';
import type { Decision, Policy } from '../policy/policy.ts';
import type { DecisionReason } from '../policy/policy-answer.ts';
import type { Role } from '../policy/role.ts';
import { auditedDecision } from '../runs/admission.ts';
import { auditedCaller } from '../runs/run-journal.ts';
import type { StockWorkerSpecification } from './stock-worker.ts';

/** As for a run of this role; and the role must be one for stock Luigi at the gateway's own luigid. */
export function decideStockWorker(
  policy: Policy,
  caller: Caller,
  { role, module, task, parameters, lifetimeMs }: StockWorkerSpecification,
  now: number,
): Decision {
  const decision = policy.decide({ caller, role, module, task, parameters, timeoutMs: lifetimeMs }, now);
  const why = decision.role && decision.allowed ? unfit(decision.role) : undefined;
  if (why === undefined) return decision;
  return { ...decision, allowed: false, wouldAllow: false, reasons: [{ reason: why, field: 'role' }] };
}

function unfit({ stockLuigi, scheduler }: Role): DecisionReason['reason'] | undefined {
  if (!stockLuigi) return 'stock-luigi';
  return scheduler === undefined ? undefined : 'scheduler';
}

/** SHA-256 of the canonical specification, hexadecimal. */
export function stockWorkerFingerprint(specification: StockWorkerSpecification): string {
  return createHash('sha256')
    .update(canonicalJson(specification as unknown as Encodable))
    .digest('hex');
}

/** Names of parameters, never their values. */
export function auditedStockWorker(
  caller: Caller,
  { role, module, task, parameters }: StockWorkerSpecification,
  decision: Decision,
): AuditData {
  const parameterNames = Object.keys(parameters).sort();
  const { unixUser: _, workerIdentity: __, ...decided } = auditedDecision(decision);
  return { caller: auditedCaller(caller), role, module, task, parameterNames, ...decided };
}

export function stockWorkerKeyReused(key: string): PlumblineError {
  return new PlumblineError(
    'ERR_RUN_KEY_REUSED',
    `The key '${key}' was used for a worker that has ended, or with another specification: none was registered`,
    { remedy: 'Use another key for another worker.', details: { key } },
  );
}

export function tooManyStockWorkers(most: number): PlumblineError {
  return new PlumblineError(
    'ERR_QUEUE_FULL',
    `No worker is registered at the moment: as many of this caller or of all live as may (${most})`,
    { remedy: 'End those that are not needed, or try again later with the same key.', details: { most } },
  );
}
