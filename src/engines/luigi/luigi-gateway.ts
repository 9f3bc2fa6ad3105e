import { type Clock, systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { TaskGraph } from '#core/graph.ts';
import type { Logger } from '#core/logger.ts';
import type { RunRef, RunState, RunUpdate } from '#core/run.ts';
import type { Secret } from '#core/secret.ts';
import type { Http } from '#http/http.ts';
import type { CancelReason, Engine, FoundRun } from '../engine.ts';
import { followGatewayRun } from './follow-gateway-run.ts';
import { GatewayClient } from './gateway-client.ts';
import type { GatewayCredentials, GatewayRunRequest } from './gateway-request.ts';
import type { GatewayRun, GatewayRunFacts } from './gateway-run.ts';

export interface LuigiGatewayOptions {
  /** Base of the gateway's addresses, no slash at the end: `https://plumbline.example.com`. */
  readonly url: string;
  readonly http: Http;
  readonly credentials: GatewayCredentials;
  readonly mask: (secret: Secret) => void;
  readonly log?: Pick<Logger, 'debug' | 'info'> | undefined;
  readonly clock?: Clock | undefined;
  /** Milliseconds without a sign of life after which a run is lost to whoever follows it; default 10 minutes. */
  readonly lostAfterMs?: number | undefined;
}

const LOST_AFTER_MS = 600_000;
const LONG_WAIT_MS = 3_000;
const ENDED: ReadonlySet<RunState> = new Set(['succeeded', 'failed', 'cancelled', 'lost', 'deadline']);

/** The engine of a gateway, and what only a gateway knows of a run. */
export interface LuigiGatewayEngine extends Engine<GatewayRunRequest> {
  readonly url: string;
  /** Under which role, rule, code and isolation a run is run. */
  facts(ref: RunRef, signal: AbortSignal): Promise<GatewayRunFacts>;
}

/**
 * Luigi at a gateway: runs outlive whoever asked for them and are found again by their key. The handle of a run is the
 * gateway's id of it. Methods throw {PlumblineError} `ERR_GATEWAY_*`, the gateway's own codes, `ERR_IDENTITY_*`, `ERR_HTTP_*`.
 */
export function luigiGateway(options: LuigiGatewayOptions): LuigiGatewayEngine {
  return new LuigiGateway(options);
}

class LuigiGateway implements LuigiGatewayEngine {
  readonly name = 'luigi-gateway';
  readonly capabilities = { survivesCaller: true, taskLogs: false, staticGraph: false };
  readonly #options: LuigiGatewayOptions;
  readonly #client: GatewayClient;
  readonly #clock: Clock;
  /** Runs that were alive when this object first saw them: their end is seen here, not found. */
  readonly #seenAlive = new Set<string>();

  constructor(options: LuigiGatewayOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#client = new GatewayClient({ ...options, clock: this.#clock });
  }

  get url(): string {
    return this.#options.url;
  }

  async start(request: GatewayRunRequest, signal: AbortSignal): Promise<RunRef> {
    signal.throwIfAborted();
    return this.#seen(await this.#client.create(request, signal)).ref;
  }

  async find(id: string, signal: AbortSignal): Promise<FoundRun | undefined> {
    signal.throwIfAborted();
    const run = await this.#client.find(id, signal);
    return run && this.#seen(run);
  }

  async *follow(ref: RunRef, signal: AbortSignal): AsyncGenerator<RunUpdate> {
    signal.throwIfAborted();
    const { handle } = ref;
    const { lostAfterMs = LOST_AFTER_MS } = this.#options;
    if (!this.#seenAlive.has(handle)) this.#seen(await this.#read(ref, signal));
    yield* followGatewayRun({
      events: (after, until) => this.#client.events(handle, after, until),
      signal,
      clock: this.#clock,
      random: Math.random,
      lostAfterMs,
      adopted: !this.#seenAlive.has(handle),
      run: { id: ref.id, handle, gateway: this.url },
      onBroken: this.#tellsOnce(),
    });
  }

  cancel({ handle }: RunRef, reason: CancelReason): Promise<'stopped' | 'requested'> {
    return this.#client.cancel(handle, reason);
  }

  graph({ handle }: RunRef, signal: AbortSignal): Promise<TaskGraph> {
    return this.#client.graph(handle, signal);
  }

  async facts(ref: RunRef, signal: AbortSignal): Promise<GatewayRunFacts> {
    return (await this.#client.read(ref.handle, signal)).facts;
  }

  /** A moment's interruption is nobody's business; a longer one is what a person who waits wants to know, once. */
  #tellsOnce(): (why: string, waitMs: number) => void {
    const { log } = this.#options;
    let isTold = false;
    return (why, waitMs) => {
      log?.debug(`Following again in ${Math.round(waitMs)} ms: ${why}`);
      if (isTold || waitMs < LONG_WAIT_MS) return;
      isTold = true;
      log?.info(`The gateway does not tell of the run at the moment and is asked again and again: ${why}`);
    };
  }

  async #read(ref: RunRef, signal: AbortSignal): Promise<GatewayRun> {
    const run = await this.#client.read(ref.handle, signal);
    if (run.key === ref.id) return run;
    throw new PlumblineError(
      'ERR_RUN_LOST',
      `The gateway ${this.url} has another run than ${ref.id} under the id ${run.id}`,
    );
  }

  #seen({ id, key, state, attempt }: GatewayRun): FoundRun {
    if (!ENDED.has(state)) this.#seenAlive.add(id);
    return { ref: { id: key, engine: this.name, handle: id }, state, attempt };
  }
}
