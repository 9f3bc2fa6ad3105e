import type { JsonValue } from '#core/json.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { AuditType } from '../audit/audit-types.ts';
import { redactCredentials, redactJson } from '../audit/redaction-guard.ts';

/** What is equal in equal calls: all of it. */
export interface CallFacts {
  readonly type: AuditType;
  readonly subject?: string | undefined;
  readonly data: Readonly<Record<string, JsonValue | undefined>>;
}

interface Counted {
  readonly facts: CallFacts;
  more: number;
}

const MINUTE = 60_000;
/** Kinds of a minute that have a record of their own; what is more is counted in one, so that nobody fills the disk. */
const MAX_KINDS = 500;
const LONGEST_TEXT = 256;

/**
 * Records of calls to luigid: the first of its kind at once, the equal ones of its minute in one more record with their count.
 */
export class CallRecorder {
  readonly #audit: Pick<AuditLog, 'append'>;
  readonly #kinds = new Map<string, Counted>();
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

  /** Writes what was counted; a minute ends, or the gateway. */
  async flush(): Promise<void> {
    const counted = [...this.#kinds.values()].filter(({ more }) => more > 0);
    this.#kinds.clear();
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
    const key = JSON.stringify([facts.type, facts.subject, facts.data]);
    if (this.#kinds.size < MAX_KINDS || this.#kinds.has(key)) return [key, facts];
    const { reason, allowed } = facts.data;
    const data = { reason: 'others', of: reason, allowed };
    return [JSON.stringify([facts.type, data]), { type: facts.type, data }];
  }
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
