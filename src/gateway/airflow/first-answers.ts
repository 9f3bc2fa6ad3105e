import type { Clock } from '#core/clock.ts';
import type { Caller, VerifiedToken } from '../auth/caller.ts';
import { usedUpBy } from '../auth/token-ledger.ts';

/** What a request is about, beside its caller. */
interface Asked {
  readonly airflow: string;
  readonly grant?: string | undefined;
}

interface Kept<Answer> {
  readonly until: number;
  readonly answer: Promise<Answer> | 'none';
}

const MOST = 20_000;

/**
 * What an ID token has bought, for as long as it lives: the very same request gets it again when the answer was lost, and nothing
 * new. What was bought before a restart is not known here.
 */
export class FirstAnswers<Answer> {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #kept = new Map<string, Kept<Answer>>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** `none`: it has bought nothing; `undefined`: nobody knows. */
  of(caller: Caller, asked: Asked): Promise<Answer> | 'none' | undefined {
    return this.#kept.get(nameOf(caller, asked))?.answer;
  }

  /** Keeps what comes of it, when the token of the caller is for one request. */
  async keep(caller: Caller, asked: Asked, answer: Promise<Answer>): Promise<Answer> {
    const once = usedUpBy(caller);
    if (once.length === 0) return answer;
    const name = nameOf(caller, asked);
    const until = Math.max(...once.map(({ expiresAt }: VerifiedToken) => expiresAt));
    this.#put(name, { until, answer });
    try {
      return await answer;
    } catch (error) {
      this.#put(name, { until, answer: 'none' });
      throw error;
    }
  }

  #put(name: string, kept: Kept<Answer>): void {
    this.#kept.delete(name);
    this.#kept.set(name, kept);
    const now = this.#clock.now();
    for (const [other, { until }] of this.#kept) {
      if (until > now && this.#kept.size <= MOST) break;
      this.#kept.delete(other);
    }
  }
}

function nameOf({ tokenHash, runFacts }: Caller, { airflow, grant = '' }: Asked): string {
  return JSON.stringify([tokenHash, runFacts?.tokenHash ?? '', airflow, grant]);
}
