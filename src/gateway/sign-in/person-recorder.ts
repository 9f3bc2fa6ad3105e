import type { Clock } from '#core/clock.ts';
import type { JsonValue } from '#core/json.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { AuditData, AuditType } from '../audit/audit-types.ts';
import { redactJson } from '../audit/redaction-guard.ts';
import type { Person } from './person-sessions.ts';

/** From where. */
export interface PersonRequest {
  readonly address: string;
  readonly requestId: string;
}

const MINUTE_MS = 60_000;
/** Different refusals of a minute; whoever changes addresses fills no log. */
const MAX_REFUSALS = 100;

/** Puts on record who signed in, out, and who could not. */
export class PersonRecorder {
  readonly #audit: Pick<AuditLog, 'append'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #refusals = new Set<string>();
  #minute = Number.NaN;

  constructor(audit: Pick<AuditLog, 'append'>, clock: Pick<Clock, 'now'>) {
    this.#audit = audit;
    this.#clock = clock;
  }

  /** @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE`; then nobody is signed in. */
  async signedIn(person: Person, policy: string, request: PersonRequest): Promise<void> {
    await this.#append('signed-in', { ...request, ...whose(person), policy, expiresAt: person.expiresAt });
  }

  /** @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` */
  async signedOut(person: Person, request: PersonRequest): Promise<void> {
    await this.#append('signed-out', { ...request, ...whose(person) });
  }

  /** One for equal ones of a minute. That it cannot be written lets nobody in, so it is no reason to answer otherwise. */
  async refused(reason: string, request: PersonRequest, person?: Person): Promise<void> {
    const minute = Math.floor(this.#clock.now() / MINUTE_MS);
    if (minute !== this.#minute) this.#refusals.clear();
    this.#minute = minute;
    const key = JSON.stringify([reason, person?.id ?? request.address]);
    if (this.#refusals.has(key) || this.#refusals.size >= MAX_REFUSALS) return;
    this.#refusals.add(key);
    await this.#append('refused', { ...request, ...(person && whose(person)), reason }).catch(() => undefined);
  }

  async #append(what: 'signed-in' | 'signed-out' | 'refused', data: AuditData): Promise<void> {
    const type = `dev.plumbline.person.${what}` satisfies AuditType;
    const clean = redactJson(data as unknown as JsonValue) as Readonly<Record<string, JsonValue>>;
    await this.#audit.append({ type, data: clean });
  }
}

/** Name of the issuer in records: no issuer of a policy, which are those of machines. */
const ISSUER = 'sign-in';

/** Who a person is, in the words of the audit. */
export function whose({ iss, subject }: Person): Pick<AuditData, 'caller'> {
  return { caller: { issuer: ISSUER, iss, subject } };
}
