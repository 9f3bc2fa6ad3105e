import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { AuditData, AuditType } from '../audit/audit-types.ts';
import { redactJson } from '../audit/redaction-guard.ts';
import type { Caller } from '../auth/caller.ts';
import type { IssuedToken } from '../issuer/token-issuer.ts';
import type { AirflowDecision, AirflowGrant } from '../policy/access-grants.ts';
import { isFabUser } from '../policy/fab-user.ts';
import type { Policy } from '../policy/policy.ts';
import { auditedCaller } from '../runs/run-journal.ts';
import type { AirflowIssuer } from './airflow-issuer.ts';
import { FirstAnswers } from './first-answers.ts';

export interface AirflowTokenRequest {
  /** Name of the configuration. */
  readonly airflow: string;
  /** Of the policy, when the caller has several for this Airflow. */
  readonly grant?: string | undefined;
  readonly requestId: string;
  /** The very same request came before with the same token, which is for one. */
  readonly isRepeated: boolean;
}

export interface AirflowToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly user: string;
  readonly role?: string | undefined;
  /** Where it is good. */
  readonly url: string;
}

/** The exchange of a caller's token for one that an Airflow trusts. */
export interface AirflowTokens {
  /**
   * Decides by the policy in force, records, issues. A report hands out nothing that enforcement would refuse.
   * @throws {PlumblineError} `ERR_IDENTITY_REJECTED` with `details.reason`; `ERR_AUDIT_UNAVAILABLE`, `ERR_ISSUER_UNAVAILABLE`
   */
  exchange(caller: Caller, wanted: AirflowTokenRequest): Promise<AirflowToken>;
}

export interface AirflowTokensOptions {
  readonly issuers: ReadonlyMap<string, AirflowIssuer>;
  /** The policy that is in force now. */
  readonly policy: () => Pick<Policy, 'decideAirflow'>;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
}

interface Granted {
  readonly issuer: AirflowIssuer;
  readonly decision: AirflowDecision;
  readonly grant: AirflowGrant;
}

interface Refused {
  readonly reason: string;
  readonly decision?: AirflowDecision | undefined;
}

/** A token is signed before it is recorded, because the record names it, and handed out when the record stands: no record, no token. */
export function airflowTokens({ issuers, policy, audit, clock }: AirflowTokensOptions): AirflowTokens {
  const answers = new FirstAnswers<AirflowToken>(clock);
  return { exchange };

  async function exchange(caller: Caller, wanted: AirflowTokenRequest): Promise<AirflowToken> {
    const granted = judge(caller, wanted);
    if ('reason' in granted) throw await refusal(caller, wanted, granted);
    const first = answers.of(caller, wanted);
    if (!wanted.isRepeated || first === 'none') return answers.keep(caller, wanted, issued(caller, wanted, granted));
    const answer = await first;
    const isSame = answer !== undefined && answer.user === granted.grant.user && answer.role === granted.grant.role;
    if (isSame && answer.expiresAt > clock.now()) return answer;
    throw await refusal(caller, wanted, { reason: 'token-used', decision: granted.decision });
  }

  function judge(caller: Caller, { airflow, grant: name }: AirflowTokenRequest): Granted | Refused {
    const issuer = issuers.get(airflow);
    if (issuer === undefined) return { reason: 'airflow-unknown' };
    const decision = policy().decideAirflow({ caller, airflow, grant: name }, clock.now());
    const { wouldAllow, grant, reasons } = decision;
    // What a report lets pass elsewhere is refused here: nobody takes a token back.
    if (!wouldAllow || grant === undefined) return { reason: reasons[0]?.reason ?? 'no-binding', decision };
    return fits(grant, issuer) ? { issuer, decision, grant } : { reason: 'grant-unfit', decision };
  }

  async function issued(caller: Caller, wanted: AirflowTokenRequest, granted: Granted): Promise<AirflowToken> {
    const { issuer, decision, grant } = granted;
    const token = await issuer.issue(grant, decision.until);
    await record('airflow.token', wanted, { ...audited(caller, wanted, decision), ...auditedToken(granted, token) });
    const still = judge(caller, wanted);
    if ('reason' in still || still.grant.user !== grant.user || still.grant.role !== grant.role)
      throw await refusal(caller, wanted, { reason: 'policy-changed', decision }, token);
    return {
      token: token.token,
      expiresAt: token.expiresAt,
      user: grant.user,
      role: grant.role,
      url: issuer.config.url,
    };
  }

  /** On record before it is answered. @param token was signed in the meantime and is not handed out */
  async function refusal(
    caller: Caller,
    wanted: AirflowTokenRequest,
    { reason, decision }: Refused,
    token?: IssuedToken,
  ): Promise<Error> {
    await record('airflow.refused', wanted, {
      ...audited(caller, wanted, decision),
      reason,
      allowed: false,
      errorCode: 'ERR_IDENTITY_REJECTED',
      tokenId: token?.id,
    });
    return airflowRefused(wanted.airflow, reason);
  }

  async function record(type: AirflowRecord, { airflow }: AirflowTokenRequest, data: AuditData): Promise<void> {
    const event = { type: `dev.plumbline.${type}` satisfies AuditType, subject: redacted(airflow) as string };
    await audit.append({ ...event, data: redacted(data) as Readonly<Record<string, JsonValue>> });
  }
}

type AirflowRecord = 'airflow.token' | 'airflow.refused';

function redacted(value: unknown): unknown {
  return redactJson(value as JsonValue);
}

function fits({ airflow, user, role }: AirflowGrant, { config }: AirflowIssuer): boolean {
  if (airflow !== config.name) return false;
  return config.authManager === 'simple' ? role !== undefined : role === undefined && isFabUser(user);
}

function audited(
  caller: Caller,
  { airflow, requestId, grant }: AirflowTokenRequest,
  decision: AirflowDecision | undefined,
): AuditData {
  const { policy, binding, mode, allowed, wouldAllow, reasons } = decision ?? {};
  const decided = { policy, binding, mode, allowed, wouldAllow, reasons };
  return { caller: auditedCaller(caller), requestId, airflow, grant: decision?.grant?.name ?? grant, ...decided };
}

function auditedToken({ issuer, grant }: Granted, { id, keyId, expiresAt }: IssuedToken): AuditData {
  const { audience } = issuer.config;
  return { user: grant.user, airflowRole: grant.role, audience, tokenId: id, keyId, expiresAt };
}

const WHY: Readonly<Record<string, string>> = {
  'airflow-unknown': 'this gateway issues no tokens for an Airflow of this name',
  'grant-unfit': "the policy's grant does not fit the configuration's authManager",
  'policy-changed': 'the policy has changed meanwhile',
  'token-used': 'the token was used before: an ID token buys one',
};

function airflowRefused(airflow: string, reason: string): PlumblineError {
  const why = WHY[reason] ?? `the policy refuses it (${reason})`;
  return new PlumblineError('ERR_IDENTITY_REJECTED', `No token for Airflow ${airflow}: ${why}`, {
    remedy: 'See the record airflow.refused in the audit of the gateway.',
    details: { reason },
  });
}
