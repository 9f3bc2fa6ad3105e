import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '#core/clock.ts';
import type { Entrance, Front } from '../app/front.ts';
import type { GatewayMetrics } from '../app/gateway-metrics.ts';
import { networkOf } from '../app/network-of.ts';
import { asProblem, Problem } from '../app/problem.ts';
import type { Readiness } from '../app/readiness.ts';
import { checkServing } from '../app/request-guard.ts';
import { checkRequestHead } from '../app/request-headers.ts';
import { trustedPeers } from '../app/trusted-peers.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { WorkerTokens } from '../auth/worker-tokens.ts';
import type { LuigidSettings } from '../config/gateway-config.ts';
import type { Policy } from '../policy/policy.ts';
import type { OpenSignIn } from '../sign-in/open-sign-in.ts';
import { isSignInPath } from '../sign-in/sign-in-paths.ts';
import type { Workers } from '../workers/worker.ts';
import { AttemptsPerAddress } from './attempts-per-address.ts';
import { batchSeal } from './batch-seal.ts';
import { CallRecorder } from './call-recorder.ts';
import { CallTurns } from './call-turns.ts';
import { clientAddress } from './client-address.ts';
import { checkCookieRequest, checkOwnName } from './cookie-request.ts';
import { answerCall, answerFirstPage, answerPage, answerProblem, answerSignIn } from './front-answers.ts';
import { type CallerSources, identifyCaller, type Unidentified } from './identify-caller.ts';
import { readCall } from './luigid-call.ts';
import { type LuigidCaller, lineOfCaller, nameOfCaller } from './luigid-caller.ts';
import { LuigidCalls } from './luigid-calls.ts';
import { LUIGID_METHODS, type LuigidMethod } from './luigid-methods.ts';
import { type LuigidPages, luigidPages, pagePath } from './luigid-pages.ts';
import { LuigidReaders } from './luigid-readers.ts';
import { type LuigidUpstream, luigidUpstream } from './luigid-upstream.ts';
import { type HeldForm, RequestForms } from './request-form.ts';

/** What the front writes for the operator; nothing of a call but its method. */
export interface FrontLog {
  info(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export interface LuigidFrontOptions {
  readonly upstream: LuigidSettings['upstream'];
  readonly workers: Workers;
  readonly workerTokens: Pick<WorkerTokens, 'issue' | 'verify' | 'isSchedulerPassword'>;
  /** The policy that is in force now. */
  readonly policy: () => Pick<Policy, 'anonymous' | 'namespacesOf'>;
  /** Absent: nobody can sign in. */
  readonly signIn?: Pick<OpenSignIn, 'visitors' | 'address'> | undefined;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: FrontLog;
  readonly metrics: Pick<GatewayMetrics, 'request' | 'refused'>;
  readonly readiness: Readiness;
  /** Credentials come through these only, and what they say of where a request comes from is believed. */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Where people find the gateway. */
  readonly publicUrl?: string | undefined;
  readonly timeouts: { readonly requestMs: number };
}

/** Requests without a good credential that an address may send in a minute before it is answered no more than a number. */
const MAX_ATTEMPTS = 300;
/** From the head to the end of the form; for longer nobody's word is good without asking again. */
const SLOW_MS = 100;
const API = '/luigid/api/';
/** Luigi's styles ask for fonts so, with their version. */
const OF_FILE = /^v=[\w.-]{1,32}$/;

/** The way to luigid: `/luigid/api/<method>` for workers and pages, `/luigid/static/visualiser/…` for people. */
export function openLuigidFront(options: LuigidFrontOptions): Front {
  return new LuigidFront(options);
}

/** One request on its way. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly entrance: Entrance;
  readonly id: string;
  readonly path: string;
  readonly query: string | undefined;
  readonly began: number;
}

class LuigidFront implements Front {
  readonly #options: LuigidFrontOptions;
  readonly #sources: CallerSources;
  readonly #upstream: LuigidUpstream;
  readonly #readers: LuigidReaders;
  readonly #recorder: CallRecorder;
  readonly #calls: LuigidCalls;
  readonly #pages: LuigidPages;
  readonly #forms = new RequestForms();
  readonly #turns = new CallTurns();
  readonly #attempts = new AttemptsPerAddress(MAX_ATTEMPTS);
  readonly #trustsPeer: (address: string) => boolean;
  readonly #open = new Set<Promise<void>>();

  constructor(options: LuigidFrontOptions) {
    const { workers, workerTokens: tokens, policy, signIn, clock, audit } = options;
    this.#options = options;
    this.#sources = { workers, tokens, policy, visitors: signIn?.visitors, clock };
    this.#upstream = luigidUpstream(options.upstream);
    this.#readers = new LuigidReaders({ upstream: this.#upstream });
    this.#recorder = new CallRecorder(audit);
    this.#pages = luigidPages(this.#upstream);
    this.#trustsPeer = trustedPeers(options.trustedProxies);
    const namespacesOf = (role: string) => policy().namespacesOf(role);
    this.#calls = new LuigidCalls({
      upstream: this.#upstream,
      readers: this.#readers,
      recorder: this.#recorder,
      rules: { workers, namespacesOf, batches: batchSeal(tokens) },
      now: () => clock.now(),
    });
  }

  handles({ url = '' }: IncomingMessage): boolean {
    if (!url.startsWith('/luigid')) return false;
    return (url.length === 7 || url[7] === '/' || url[7] === '?') && !isSignInPath(url);
  }

  handle(request: IncomingMessage, response: ServerResponse, entrance: Entrance): void {
    const { url = '' } = request;
    const mark = url.indexOf('?');
    const path = mark === -1 ? url : url.slice(0, mark);
    const exchange = {
      request,
      response,
      entrance,
      id: randomUUID(),
      path,
      query: mark === -1 ? undefined : url.slice(mark + 1),
      began: performance.now(),
    };
    const done = this.#answer(exchange)
      .catch((thrown: unknown) => this.#refuse(exchange, asProblem(thrown)))
      .then(() => this.#measure(exchange));
    this.#open.add(done);
    void done.finally(() => this.#open.delete(done));
  }

  async close(): Promise<void> {
    this.#readers.close();
    await Promise.allSettled(this.#open);
    await this.#recorder.close();
    await this.#upstream.close();
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { request, entrance, path } = exchange;
    checkRequestHead(request);
    if (request.headers.upgrade !== undefined)
      throw new Problem('request-malformed', 'There is nothing here to upgrade to');
    checkServing(this.#options);
    if (entrance === 'listener' && !this.#trustsPeer(request.socket.remoteAddress ?? ''))
      throw new Problem('proxy-bypassed', 'Credentials are accepted only through the proxy of this gateway');
    const caller = this.#identified(exchange);
    if (caller.kind === 'refused') return this.#turnAway(exchange, caller);
    if (path.startsWith(API)) return this.#answerCall(exchange, caller);
    await this.#answerPage(exchange, caller);
  }

  #identified(exchange: Exchange): LuigidCaller | Unidentified {
    return identifyCaller(exchange.request, exchange.entrance, this.#addressOf(exchange), this.#sources);
  }

  #addressOf({ request, entrance }: Exchange): string {
    if (entrance !== 'listener') return '';
    const { trustedProxies = [] } = this.#options;
    return clientAddress(request, trustedProxies.length > 0 ? this.#trustsPeer : undefined);
  }

  async #turnAway(exchange: Exchange, who: Unidentified): Promise<void> {
    const { problem } = who;
    const { clock } = this.#options;
    if (exchange.entrance === 'listener' && this.#attempts.add(networkOf(this.#addressOf(exchange)), clock.now())) {
      const headers = { 'retry-after': '60', connection: 'close' };
      throw new Problem('rate-limited', 'There are too many requests of this address without a good credential', {
        headers,
      });
    }
    const { signIn } = this.#options;
    if (signIn && answerSignIn(exchange.request, exchange.response, exchange.id, problem, signIn.address())) return;
    this.#noteStranger(exchange, who);
    throw problem;
  }

  /** Whoever opens a page is asked to sign in; a worker without a credential must be found. */
  #noteStranger(exchange: Exchange, { problem: { code, facts }, badCredential, workerId }: Unidentified): void {
    const isWorker = code === 'sign-in-needed' && exchange.path.startsWith(API);
    if (!badCredential && !isWorker && code !== 'luigid-denied') return;
    const data = {
      errorCode: code,
      reason: isWorker ? 'no-credential' : facts.reason,
      worker: workerId,
      address: this.#addressOf(exchange) || undefined,
      uid: uidOf(exchange),
      allowed: false,
      route: 'luigid',
    };
    const { address, uid, route } = data;
    this.#recorder.noted({
      type: badCredential ? 'dev.plumbline.token.refused' : 'dev.plumbline.luigid.refused',
      data,
      who: { address, uid, route },
    });
  }

  async #answerCall(exchange: Exchange, caller: LuigidCaller): Promise<void> {
    const method = LUIGID_METHODS.get(exchange.path.slice(API.length));
    if (method === undefined) throw new Problem('not-found', 'luigid has no such method, or none that may be called');
    const { publicUrl, trustedProxies = [] } = this.#options;
    if (caller.kind !== 'worker') checkCookieRequest(exchange.request, publicUrl, method);
    // Behind a proxy the name may be another one; whoever is led to that proxy meets its certificate.
    if (caller.kind === 'anonymous' && trustedProxies.length === 0) checkOwnName(exchange.request, publicUrl);
    const { text, release } = await this.#formOf(exchange, caller, method);
    try {
      // What reads all of luigid has a line of its own.
      if (method.costly) return await this.#answerForm(exchange, caller, method, text);
      const end = await this.#turns.take(lineOfCaller(caller));
      await this.#answerForm(exchange, caller, method, text).finally(end);
    } finally {
      release();
    }
  }

  async #answerForm(exchange: Exchange, caller: LuigidCaller, method: LuigidMethod, text: string): Promise<void> {
    // Who has gone while this waited asks again: luigid would do it twice.
    if (exchange.response.destroyed) return;
    // Whoever sent slowly, or waited, may have lost meanwhile what it could do when it began.
    const sender = performance.now() - exchange.began > SLOW_MS ? this.#identified(exchange) : caller;
    if (sender.kind === 'refused') return this.#turnAway(exchange, sender);
    const call = readCall(method, text);
    answerCall(exchange.response, exchange.id, await this.#calls.answer(call, sender, exchange.id));
  }

  /** A form; for pages the query, as luigid's own pages write it. */
  async #formOf({ request, query }: Exchange, caller: LuigidCaller, { kind }: LuigidMethod): Promise<HeldForm> {
    if (request.method === 'POST') {
      if (query !== undefined) throw invalid('A call has its data in the form, and no query');
      return this.#forms.read(request, nameOfCaller(caller), this.#options.timeouts.requestMs);
    }
    if (request.method !== 'GET' || caller.kind === 'worker' || kind === 'worker')
      throw invalid('This call is a POST with one form field data');
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    if ((length !== undefined && length !== '0') || coding !== undefined) throw invalid('A GET has no body');
    return { text: query ?? 'data=', release: () => undefined };
  }

  async #answerPage(exchange: Exchange, caller: LuigidCaller): Promise<void> {
    const { request, response, path, query } = exchange;
    if (caller.kind === 'worker') throw new Problem('luigid-denied', 'Pages are for people', { reason: 'method' });
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new Problem('method-not-allowed', 'Pages are read', { headers: { allow: 'GET, HEAD' } });
    if (path === '/luigid' || path === '/luigid/') return answerFirstPage(response, path);
    const file = query === undefined || OF_FILE.test(query) ? pagePath(path) : undefined;
    const page = file === undefined ? undefined : await this.#pages.page(file);
    if (page === undefined) throw new Problem('not-found', 'There is no such page of luigid here');
    answerPage(request, response, exchange.id, page);
  }

  #refuse({ request, response, id }: Exchange, problem: Problem): void {
    const { log, metrics } = this.#options;
    const { code, status, facts } = problem;
    metrics.refused(code, facts.reason);
    const said = { requestId: id, code, reason: facts.reason };
    if (status >= 500) log.error({ ...said, cause: wordsOf(facts.cause) }, 'call to luigid failed');
    // A flood is counted, not written down.
    else if (code !== 'rate-limited') log.info({ ...said, detail: problem.message }, 'call to luigid refused');
    answerProblem(request, response, id, problem);
  }

  #measure({ request, response, path, began }: Exchange): void {
    const isCall = LUIGID_METHODS.has(path.slice(API.length)) && path.startsWith(API);
    const route = isCall ? path : '/luigid';
    const method = request.method === 'GET' || request.method === 'POST' ? request.method : 'other';
    this.#options.metrics.request(route, method, response.statusCode, (performance.now() - began) / 1_000);
  }
}

function wordsOf(cause: unknown): string | undefined {
  return cause instanceof Error ? (cause.stack ?? cause.message) : undefined;
}

/** By whose socket it came. */
function uidOf({ entrance }: Exchange): number | undefined {
  return entrance === 'listener' ? undefined : entrance.uid;
}

function invalid(detail: string): Problem {
  return new Problem('luigid-call-invalid', detail, { reason: 'form' });
}
