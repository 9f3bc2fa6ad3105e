import { parseSetCookie } from 'cookie';
import type { NetworkSettings } from '#core/network.ts';
import type { AuditEvent } from '#gateway/audit/audit-log.ts';
import { refuseCredentials } from '#gateway/audit/redaction-guard.ts';
import type { SignInConfig } from '#gateway/config/gateway-config.ts';
import type { Policy } from '#gateway/policy/policy.ts';
import { type OpenSignIn, openSignIn } from '#gateway/sign-in/open-sign-in.ts';
import type { SignInRequest } from '#gateway/sign-in/sign-in.ts';
import type { Page } from '#gateway/sign-in/sign-in-pages.ts';
import { createHttp } from '#http/http.ts';
import { type HandClock, handClock } from '../../../support/hand-clock.ts';
import { CLIENT_ID } from '../../../support/people-provider.ts';

export const PUBLIC_URL = 'https://luigi.example.com';
export const REDIRECT_URI = `${PUBLIC_URL}/luigid/sign-in/callback`;

/** What a browser sends when a person types an address, and when another site has sent it. */
export const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none' };
export const FROM_PROVIDER = { ...NAVIGATION, 'sec-fetch-site': 'cross-site' };

export interface WorldOptions {
  readonly config?: Partial<SignInConfig>;
  readonly publicUrl?: string | undefined;
  readonly network?: NetworkSettings;
}

/** Signing in with everything that the product has, a clock of the test and a policy that knows who has `team: data`. */
export class SignInWorld {
  readonly clock: HandClock = handClock(Date.now());
  readonly records: AuditEvent[] = [];
  readonly logged: string[] = [];
  readonly opened: OpenSignIn;
  team = 'data';
  /** The audit cannot be written. */
  auditFailure: Error | undefined;

  constructor(issuer: string, options: WorldOptions = {}) {
    const policy: Pick<Policy, 'viewer'> = {
      viewer: ({ team }) =>
        team === this.team
          ? { read: ['sales'], operate: [], admin: false, rules: ['people'], policy: 'a'.repeat(64) }
          : undefined,
    };
    this.opened = openSignIn({
      config: {
        issuer,
        clientId: CLIENT_ID,
        scopes: ['openid', 'profile'],
        sessionMs: 8 * 3_600_000,
        ...options.config,
      },
      publicUrl: 'publicUrl' in options ? options.publicUrl : PUBLIC_URL,
      http: createHttp(options.network ?? { skipVerification: false }),
      clock: this.clock,
      audit: {
        append: async (event) => {
          if (this.auditFailure !== undefined) throw this.auditFailure;
          refuseCredentials(event);
          this.records.push(event);
          return { sequence: this.records.length, hash: '' };
        },
      },
      log: { warn: (facts, message) => void this.logged.push(JSON.stringify([facts, message])) },
      policy: () => policy,
    });
  }

  request(more: Partial<SignInRequest> = {}): SignInRequest {
    const { headers, ...others } = more;
    return {
      method: 'GET',
      query: '',
      address: '192.0.2.7',
      requestId: 'request-1',
      ...others,
      headers: { host: 'luigi.example.com', ...NAVIGATION, ...headers },
    };
  }

  begin(headers: SignInRequest['headers'] = {}): Promise<Page> {
    return this.opened.signIn.begin(this.request({ headers }));
  }

  finish(query: string, cookie: string, more: Partial<SignInRequest> = {}): Promise<Page> {
    return this.opened.signIn.finish(this.request({ query, ...more, headers: { ...FROM_PROVIDER, cookie } }));
  }

  /** Signs somebody in as their browser would. */
  async signIn(login: string): Promise<{ readonly page: Page; readonly cookie: string; readonly query: string }> {
    const begun = await this.begin();
    const query = await logIn(String(begun.headers['location']), login);
    const page = await this.finish(query, cookiesOf(begun));
    return { page, cookie: cookiesOf(page), query };
  }
}

/** The cookies that a page sets and leaves, as a browser sends them. */
export function cookiesOf({ headers }: Page): string {
  const set = [headers['set-cookie'] ?? []].flat().map((line) => parseSetCookie(line));
  return set
    .filter(({ maxAge }) => maxAge !== 0)
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ');
}

/** Goes to the provider, logs in by its form, and gives the query with which the provider sends back. */
export async function logIn(authorizationUrl: string, login: string | undefined): Promise<string> {
  const jar = new Map<string, string>();
  const form = new URLSearchParams(login === undefined ? { abort: '1' } : { login });
  let next: Visit = { url: authorizationUrl };
  while (new URL(next.url).origin === new URL(authorizationUrl).origin) next = await visit(next, jar, form);
  return new URL(next.url).search;
}

interface Visit {
  readonly url: string;
  readonly form?: URLSearchParams;
}

/** Follows a redirect, or answers a form. */
async function visit({ url, form: body }: Visit, jar: Map<string, string>, form: URLSearchParams): Promise<Visit> {
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  const response = await fetch(url, { redirect: 'manual', headers: { cookie }, ...(body && { method: 'POST', body }) });
  for (const { name, value = '' } of response.headers.getSetCookie().map((line) => parseSetCookie(line)))
    jar.set(name, value);
  const location = response.headers.get('location');
  if (location !== null) return { url: new URL(location, url).href };
  if (response.status !== 200) throw new Error(`the provider answered ${response.status}: ${await response.text()}`);
  return { url, form };
}
