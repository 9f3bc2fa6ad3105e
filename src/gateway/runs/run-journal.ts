import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { AuditData, AuditedCaller, AuditedToken, AuditType } from '../audit/audit-types.ts';
import { canonicalJson } from '../audit/canonical-json.ts';
import { redactJson, refuseCredentials } from '../audit/redaction-guard.ts';
import { type Caller, factsOf, type VerifiedToken } from '../auth/caller.ts';
import type { RunRecord } from './run-record.ts';

const RETRY_MS = 1_000;

/**
 * What is done with runs, in the audit log. `intent` comes before an act, and nothing is done when it throws; `record` tells
 * what has happened and is tried until it stands.
 */
export class RunJournal {
  readonly #audit: AuditLog;
  readonly #clock: Clock;
  readonly #closing = new AbortController();

  constructor(audit: AuditLog, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
  }

  /** @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE`; then it must not be done. */
  async intent(type: RunAuditType, runId: string, data: AuditData): Promise<void> {
    await this.#append(type, runId, data);
  }

  /** Resolves when it stands; rejects only when this journal is closed. */
  async record(type: RunAuditType, runId: string, data: AuditData): Promise<void> {
    for (;;) {
      this.#closing.signal.throwIfAborted();
      try {
        return await this.#append(type, runId, data);
      } catch (thrown) {
        if (!isAuditUnavailable(thrown)) throw thrown;
        // The log itself says in readiness and metrics why.
        await this.#clock.sleep(RETRY_MS, this.#closing.signal);
      }
    }
  }

  close(): void {
    this.#closing.abort();
  }

  async #append(type: RunAuditType, subject: string, data: AuditData): Promise<void> {
    const event = { type: `dev.plumbline.${type}` satisfies AuditType, subject, data: clean(data) };
    await this.#audit.append(fitting(event));
  }
}

export type RunAuditType =
  Extract<AuditType, `dev.plumbline.${'run' | 'secrets' | 'identity' | 'dispatch'}.${string}`> extends infer Full
    ? Full extends `dev.plumbline.${infer Short}`
      ? Short
      : never
    : never;

type Event = { readonly type: string; readonly subject: string; readonly data: Data };
type Data = Readonly<Record<string, JsonValue | undefined>>;

/** What the log takes: text of callers may look like a credential. The act is recorded all the same, with less beside it. */
function fitting(event: Event): Event {
  const { claimed: _, inputs: __, outputs: ___, ...data } = event.data;
  const fewer = { ...event, data: { ...data, reason: 'claims-and-datasets-left-out' } };
  return [event, fewer].find(isTaken) ?? { ...event, data: { ...bare(event.data), reason: 'details-left-out' } };
}

function isTaken(event: Event): boolean {
  try {
    refuseCredentials(event);
    canonicalJson(event);
    return true;
  } catch {
    return false;
  }
}

function bare({ attempt, policy, state, result, errorCode, pipelineRun }: Data): Data {
  return { attempt, policy, state, result, errorCode, pipelineRun };
}

function clean(data: AuditData): Data {
  return redactJson(data as unknown as JsonValue) as Data;
}

export function auditedCaller(caller: Caller): AuditedCaller {
  const { issuer, iss, subject, tokenId, tokenHash, scope, runId, runFacts } = caller;
  const signed = { ...factsOf(caller) };
  return { issuer, iss, subject, tokenId, tokenHash, scope, runId, signed, runFacts: runFacts && namedBy(runFacts) };
}

function namedBy({ issuer, iss, subject, tokenId, tokenHash }: VerifiedToken): AuditedToken {
  return { issuer, iss, subject, tokenId, tokenHash };
}

/** What every record about a run says of it. */
export function auditedRun({ key, specification, fingerprint, attempt }: RunRecord): AuditData {
  const { role, module, task, parameters, claimed } = specification;
  const parameterNames = Object.keys(parameters).sort();
  return { key, role, module, task, parameterNames, fingerprint, attempt, claimed };
}

/** Nothing may be done for the moment that has to be on record. */
export function isAuditUnavailable(thrown: unknown): boolean {
  return thrown instanceof PlumblineError && thrown.code === 'ERR_AUDIT_UNAVAILABLE';
}
