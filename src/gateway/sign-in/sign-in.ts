import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '#core/clock.ts';
import { Problem } from '../app/problem.ts';
import type { IdentityProvider } from './identity-provider.ts';
import type { MemorySessions } from './memory-sessions.ts';
import { personOf } from './person-of.ts';
import type { PersonRecorder, PersonRequest } from './person-recorder.ts';
import type { Person } from './person-sessions.ts';
import type { SignInAddress } from './sign-in-address.ts';
import { cookieNames, cookieOf, flowCookie, removedCookie, sessionCookie } from './sign-in-cookies.ts';
import { SignInFailure } from './sign-in-failure.ts';
import { FLOW_LIFE_MS, type SignInFlow, type SignInFlows } from './sign-in-flows.ts';
import {
  failedPage,
  onwardPage,
  type Page,
  redirect,
  signedOutPage,
  signOutPage,
  unavailablePage,
  viewerUnknownPage,
} from './sign-in-pages.ts';
import type { ViewerRule } from './visitors.ts';
import { wantsPage } from './wants-page.ts';

export interface SignInParts {
  readonly provider: IdentityProvider;
  readonly sessions: MemorySessions;
  readonly flows: SignInFlows;
  readonly recorder: PersonRecorder;
  readonly viewer: ViewerRule;
  readonly clock: Pick<Clock, 'now'>;
  /** Of a session, whatever is done with it. */
  readonly lifeMs: number;
  readonly address: () => SignInAddress;
  readonly log: { warn(facts: object, message: string): void };
}

/** A request for one of the paths of signing in and out. */
export interface SignInRequest extends PersonRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** Of the request target, with its question mark; empty without one. */
  readonly query: string;
}

const LED_HERE = '?led-here';
/** In one browser at the same time; further ones replace them. */
const MAX_FLOWS = 4;

/** People's way in: to the provider, back from it, and out. What it throws is a `Problem` or a {@link PlumblineError}. */
export class SignIn {
  readonly #parts: SignInParts;

  constructor(parts: SignInParts) {
    this.#parts = parts;
  }

  /** To the provider. */
  async begin(request: SignInRequest): Promise<Page> {
    const { flows, provider, address } = this.#parts;
    const { headers, query } = checkNavigation(request);
    const here = address();
    // Under another name of this machine the cookie would not come back. Once: a proxy may change what it was.
    if (headers.host !== new URL(here.origin).host && query !== LED_HERE)
      return redirect(`${here.origin}${here.signIn}${LED_HERE}`);
    // Another site's link has left the session of this one behind; asked from here, the browser brings it.
    if (headers['sec-fetch-site'] === 'cross-site') return onwardPage(here.pages);
    return this.#answered(request, async () => {
      const flow = flows.begin();
      const to = await provider.authorizationUrl(flow, here.redirectUri);
      return redirect(to.href, [...outdated(here, headers.cookie), this.#cookie(flow)]);
    });
  }

  /** Back from the provider. */
  async finish(request: SignInRequest): Promise<Page> {
    const { flows, address } = this.#parts;
    const { headers, query } = checkNavigation(request);
    const here = address();
    return this.#answered(request, async () => {
      const state = new URLSearchParams(query).get('state');
      const flow = flows.take(state, (name) => cookieOf(headers.cookie, `${here.cookies.flow}${name}`));
      if (flow === undefined) throw new SignInFailure('flow');
      const { headers: given, ...page } = await this.#answered(request, () => this.#personFrom(flow, request));
      const used = removedCookie(here, `${here.cookies.flow}${flow.cookie.name}`);
      return { ...page, headers: { ...given, 'set-cookie': [used, ...(given['set-cookie'] ?? [])] } };
    });
  }

  /** Asks before it ends a session: a picture elsewhere must not sign anybody out. */
  signOutPage(): Page {
    return signOutPage(this.#parts.address().signOut);
  }

  /** The session ends first, whatever comes of the record. */
  async signOut({ headers, ...request }: SignInRequest): Promise<Page> {
    const { sessions, recorder, address, log } = this.#parts;
    const here = address();
    if (!isOwnForm(headers, here)) throw new Problem('request-invalid', 'Only the page of this gateway signs out');
    const person = sessions.end(headers.cookie);
    if (person !== undefined)
      await recorder.signedOut(person, facts(request)).catch((err: unknown) => {
        log.warn({ room: 'sign-in', err }, 'a sign-out is not on record');
      });
    const { headers: given, ...page } = signedOutPage(here.pages);
    return { ...page, headers: { ...given, 'set-cookie': [removedCookie(here, here.cookies.session)] } };
  }

  async #personFrom(flow: SignInFlow, request: SignInRequest): Promise<Page> {
    const { provider, clock, lifeMs, viewer, address } = this.#parts;
    const here = address();
    const claims = await provider.personClaims(new URL(`${here.redirectUri}${request.query}`), flow);
    const now = clock.now();
    const person = personOf(claims, now, lifeMs);
    const permission = viewer(person.claims, now);
    if (permission === undefined) {
      await this.#parts.recorder.refused('viewer-unknown', facts(request), person);
      return viewerUnknownPage(here, request.requestId);
    }
    return this.#signedIn(person, permission.policy, request);
  }

  async #signedIn(person: Person, policy: string, request: SignInRequest): Promise<Page> {
    const { sessions, recorder, lifeMs, address } = this.#parts;
    const here = address();
    await recorder.signedIn(person, policy, facts(request));
    const { headers, ...page } = onwardPage(here.pages);
    return { ...page, headers: { ...headers, 'set-cookie': [sessionCookie(here, sessions.open(person), lifeMs)] } };
  }

  /** A failure as a page; the log says why. */
  async #answered(request: SignInRequest, answer: () => Promise<Page>): Promise<Page> {
    try {
      return await answer();
    } catch (error) {
      if (!(error instanceof SignInFailure)) throw error;
      const { requestId } = request;
      const { reason, said, isUnavailable } = error;
      this.#parts.log.warn({ room: 'sign-in', requestId, reason, said }, 'a sign-in failed');
      const { pages } = this.#parts.address();
      if (isUnavailable) return unavailablePage(pages, requestId, reason);
      await this.#parts.recorder.refused(reason, facts(request));
      return failedPage(pages, requestId, reason);
    }
  }

  #cookie({ cookie }: SignInFlow): string {
    const here = this.#parts.address();
    return flowCookie(here, `${here.cookies.flow}${cookie.name}`, cookie.value, FLOW_LIFE_MS);
  }
}

/** @throws {Problem} `sign-in-needed` for scripts, pictures and frames: nobody signs in there */
function checkNavigation(request: SignInRequest): SignInRequest {
  if (wantsPage(request)) return request;
  throw new Problem('sign-in-needed', 'Somebody has to open this page in a browser');
}

/** Pages that send no referrer send no origin either; where a form lies is in a header that no page can set. */
function isOwnForm({ origin, 'sec-fetch-site': site }: IncomingHttpHeaders, here: SignInAddress): boolean {
  return site === undefined ? origin === undefined || origin === here.origin : site === 'same-origin';
}

/** Cookies of sign-ins that were left, before they make the head of requests too large. */
function outdated(here: SignInAddress, cookie: string | undefined): string[] {
  const names = cookieNames(cookie, here.cookies.flow);
  return names.length < MAX_FLOWS ? [] : names.map((name) => removedCookie(here, name));
}

function facts({ address, requestId }: PersonRequest): PersonRequest {
  return { address, requestId };
}
