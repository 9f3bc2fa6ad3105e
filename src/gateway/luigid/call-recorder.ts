import type { JsonValue } from '#core/json.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { AuditType } from '../audit/audit-types.ts';
import { redactCredentials, redactJson } from '../audit/redaction-guard.ts';

/** What is equal in equal calls: all of it. */
export interface CallFacts {
  readonly type: AuditType;
  readonly subject?: string | undefined;
  readonly data: Readonly<Record<string, JsonValue | undefined>>;
  /** Of these, who it was: nothing that a caller can choose. When one has too many kinds, this is what is on record of the others. */
  readonly who?: Readonly<Record<string, JsonValue | undefined>> | undefined;
}

interface Counted {
  readonly facts: CallFacts;
  more: number;
}

const MINUTE = 60_000;
/** Kinds of a minute that have a record of their own, so that nobody fills the disk; and of one caller, so that nobody hides another. */
const MAX_KINDS = 500;
const MAX_KINDS_OF_ONE = 50;
/** With the records that tell no more than who it was. What comes on top is counted in one. */
const MAX_RECORDS = 2 * MAX_KINDS;
const LONGEST_TEXT = 256;

/**
 * Records of calls to luigid: the first of its kind at once, the equal ones of its minute in one more record with their count.
 */
export class CallRecorder {
  readonly #audit: Pick<AuditLog, 'append'>;
  readonly #kinds = new Map<string, Counted>();
  readonly #kindsOf = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(audit: Pick<AuditLog, 'append'>) {
    this.#audit = audit;
    this.#timer = setInterval(() => void this.flush(), MINUTE).unref();
  }

  /**
   * Resolves when the kind is on record: at once for one that already is.
   * @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE`
   */
  async recorded(facts: CallFacts): Promise<void> {
    const [key, kept] = this.#keyOf(facts);
    const known = this.#kinds.get(key);
    if (known !== undefined) {
      known.more += 1;
      return;
    }
    this.#kinds.set(key, { facts: kept, more: 0 });
    try {
      await this.#append(kept, 1);
    } catch (error) {
      this.#kinds.delete(key);
      throw error;
    }
  }

  /** Of what is refused anyway: that it cannot be written lets nobody in. */
  noted(facts: CallFacts): void {
    this.recorded(facts).catch(() => undefined);
  }

  /**
   * Writes what was counted; a minute ends, or the gateway. The first of each kind stands already; of a count that cannot be
   * written the log itself tells, with its account of the outage.
   */
  async flush(): Promise<void> {
    const counted = [...this.#kinds.values()].filter(({ more }) => more > 0);
    this.#kinds.clear();
    this.#kindsOf.clear();
    for (const { facts, more } of counted) await this.#append(facts, more).catch(() => undefined);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  /** An act and its outcome: a record each. @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` */
  async append({ type, subject, data }: CallFacts): Promise<void> {
    await this.#audit.append({ type, subject, data: redactJson(shortened(data)) as Record<string, JsonValue> });
  }

  async #append({ type, subject, data }: CallFacts, count: number): Promise<void> {
    await this.append({ type, subject, data: { ...data, count } });
  }

  #keyOf(facts: CallFacts): [string, CallFacts] {
    const key = keyOf(facts);
    if (this.#kinds.has(key)) return [key, facts];
    const who = JSON.stringify(facts.who ?? null);
    const own = this.#kindsOf.get(who) ?? 0;
    if (own >= MAX_KINDS_OF_ONE || this.#kinds.size >= MAX_KINDS) return this.#others(facts);
    this.#kindsOf.set(who, own + 1);
    return [key, facts];
  }

  #others({ type, who, data: { reason, allowed } }: CallFacts): [string, CallFacts] {
    const rest = { reason: 'others', of: reason, allowed };
    const own = { type, data: { ...who, ...rest } };
    const key = keyOf(own);
    if (this.#kinds.has(key) || this.#kinds.size < MAX_RECORDS) return [key, own];
    return [keyOf({ type, data: rest }), { type, data: rest }];
  }
}

function keyOf({ type, subject, data }: CallFacts): string {
  return JSON.stringify([type, subject, data]);
}

function shortened(data: CallFacts['data']): Record<string, JsonValue> {
  const entries = Object.entries(data).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, shortText(value)]));
}

function shortText(value: JsonValue): JsonValue {
  if (typeof value !== 'string') return value;
  const text = redactCredentials(value);
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
