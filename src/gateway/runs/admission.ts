import { PlumblineError } from '#core/errors.ts';
import type { AuditData } from '../audit/audit-types.ts';
import type { Caller } from '../auth/caller.ts';
import type { Decision, Policy } from '../policy/policy.ts';
import type { Role } from '../policy/role.ts';
import type { RunRecord, RunSpecification } from './run-record.ts';

/** A decision that lets a run pass. */
export type Permission = Decision & { readonly role: Role };

export function decideRun(policy: Policy, caller: Caller, wanted: RunSpecification, now: number): Decision {
  const { role, module, task, parameters, workers, timeoutMs } = wanted;
  return policy.decide({ caller, role, module, task, parameters, workers, timeoutMs }, now);
}

export function isPermission(decision: Decision): decision is Permission {
  return decision.allowed && decision.role !== undefined;
}

export function keptDecision({ policy, binding, mode, wouldAllow }: Decision): RunRecord['decision'] {
  return { policy, mode, wouldAllow, ...(binding !== undefined && { binding }) };
}

export function auditedDecision(decision: Decision): AuditData {
  const { policy, binding, mode, allowed, wouldAllow, reasons, role } = decision;
  const { workerIdentity, unixUser } = role ?? {};
  return { policy, binding, mode, allowed, wouldAllow, reasons, workerIdentity, unixUser };
}

/** Says which rules decided, never what a parameter held. */
export function denied(
  { role, module, task }: Pick<RunSpecification, 'role' | 'module' | 'task'>,
  { reasons, policy }: Decision,
): PlumblineError {
  const why = [...new Set(reasons.map(({ reason, field }) => (field === undefined ? reason : `${reason} (${field})`)))];
  const told = why.length === 0 ? 'no rule allows it' : why.slice(0, 5).join(', ');
  return new PlumblineError(
    'ERR_RUN_DENIED',
    `The policy does not allow ${module}.${task} under role '${role}': ${told}`,
    {
      remedy: "Ask the policy's owner; 'plumbline policy explain' shows which rule decided.",
      details: { role, module, task, policy, reasons },
    },
  );
}

export function unknownRun(id: string): PlumblineError {
  return new PlumblineError('ERR_RUN_UNKNOWN', `There is no run ${id}`, {
    remedy: 'Ask as the pipeline that created it; ended runs are removed after the time that the operator set.',
    details: { run: id },
  });
}

export function keyReused(key: string): PlumblineError {
  return new PlumblineError(
    'ERR_RUN_KEY_REUSED',
    `The key '${key}' was used for a run with another specification: nothing was started`,
    { remedy: 'Use another key for another run.', details: { key } },
  );
}

export function queueFull(queued: number): PlumblineError {
  return new PlumblineError('ERR_QUEUE_FULL', `No run is accepted at the moment: as many wait as may (${queued})`, {
    remedy: 'Try again later with the same key.',
    details: { queued },
  });
}
