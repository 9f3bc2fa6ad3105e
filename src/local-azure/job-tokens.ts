import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '#core/clock.ts';

export interface TokenHolder {
  readonly jobId: string;
  readonly planId: string;
}

/**
 * Access tokens of jobs, in the shape of `System.AccessToken`. Nobody publishes a key for them: outside, only Azure DevOps
 * can say whether one is good.
 */
export class JobTokens<Holder extends TokenHolder = TokenHolder> {
  readonly #clock: Clock;
  readonly #seconds: number;
  readonly #key = randomBytes(32);
  readonly #live = new Map<string, { readonly holder: Holder; readonly expires: number }>();

  /** @param seconds how long a token is good while its job runs. */
  constructor(clock: Clock, seconds: number) {
    this.#clock = clock;
    this.#seconds = seconds;
  }

  issue(holder: Holder, claims: Readonly<Record<string, unknown>>): string {
    const now = Math.floor(this.#clock.now() / 1_000);
    const payload = {
      ...claims,
      scp: 'app_token',
      jti: randomUUID(),
      iss: 'app.vstoken.visualstudio.com',
      nbf: now,
      exp: now + this.#seconds,
    };
    const signed = [{ typ: 'JWT', alg: 'HS256' }, payload]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const token = `${signed}.${createHmac('sha256', this.#key).update(signed).digest('base64url')}`;
    this.#live.set(token, { holder, expires: this.#clock.now() + this.#seconds * 1_000 });
    return token;
  }

  /** Makes every token of such a holder worthless. */
  revoke(isMeant: (holder: Holder) => boolean): void {
    for (const [token, { holder }] of this.#live) if (isMeant(holder)) this.#live.delete(token);
  }

  /** Whose token it is; `undefined` when it is unknown, revoked or expired. */
  find(token: string | undefined): Holder | undefined {
    const found = token === undefined ? undefined : this.#live.get(token);
    return found !== undefined && this.#clock.now() < found.expires ? found.holder : undefined;
  }
}
