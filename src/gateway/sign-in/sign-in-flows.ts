import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '#core/clock.ts';

/** One way to the provider and back. */
export interface SignInFlow {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE; only this gateway can know it. */
  readonly verifier: string;
  /** What ties it to the browser: how the name of its cookie ends, and its value. */
  readonly cookie: { readonly name: string; readonly value: string };
}

export const FLOW_LIFE_MS = 600_000;
/** Of those that came back within their life; one more, and the oldest is forgotten: its code was used at the provider. */
const MAX_USED = 10_000;

const VALUE = /^([\w-]{43})\.(\d{13})\.([\w-]{43})$/;
const STATE = /^[\w-]{43}$/;

/**
 * Sign-ins that were begun. Nothing is kept for them: state, nonce and verifier follow from the random id in the cookie and a
 * key of this process, so however many begin, nobody's is pushed out. Each may come back once, within ten minutes.
 */
export class SignInFlows {
  readonly #key = randomBytes(32);
  readonly #used = new Map<string, number>();
  readonly #clock: Pick<Clock, 'now'>;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  begin(): SignInFlow {
    return this.#flow(randomBytes(32).toString('base64url'), this.#clock.now() + FLOW_LIFE_MS);
  }

  /** The flow of a state that came back, now used up; `undefined` when the browser has not begun it, or it is over. */
  take(state: string | null, cookie: (name: string) => string | undefined): SignInFlow | undefined {
    if (state === null || !STATE.test(state)) return undefined;
    const [, id, expiresAt] = VALUE.exec(cookie(nameOf(state)) ?? '') ?? [];
    if (id === undefined || expiresAt === undefined) return undefined;
    const flow = this.#flow(id, Number(expiresAt));
    const isOwn = same(flow.state, state) && same(flow.cookie.value, cookie(flow.cookie.name) ?? '');
    if (!isOwn || Number(expiresAt) <= this.#clock.now() || this.#used.has(id)) return undefined;
    this.#useUp(id, Number(expiresAt));
    return flow;
  }

  #flow(id: string, expiresAt: number): SignInFlow {
    const state = this.#derived('state', id);
    const value = `${id}.${expiresAt}.${this.#derived('cookie', `${id}.${expiresAt}`)}`;
    return {
      state,
      nonce: this.#derived('nonce', id),
      verifier: this.#derived('verifier', id),
      cookie: { name: nameOf(state), value },
    };
  }

  #derived(what: string, id: string): string {
    return createHmac('sha256', this.#key).update(`${what} ${id}`).digest('base64url');
  }

  #useUp(id: string, expiresAt: number): void {
    const now = this.#clock.now();
    // In the order of their use; those in front are over first, or nearly so.
    for (const [old, until] of this.#used) {
      if (until > now && this.#used.size < MAX_USED) break;
      this.#used.delete(old);
    }
    this.#used.set(id, expiresAt);
  }
}

/** Several may be under way in one browser. */
function nameOf(state: string): string {
  return state.slice(0, 8);
}

function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
