import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import type { FileKeys } from '#gateway/issuer/file-keys.ts';
import type { IssuedToken } from '#gateway/issuer/token-issuer.ts';
import { killedBefore } from '../../../support/breaking-key-folder.ts';
import { DAY, IssuerWorld, LIFETIME_MS, START, verifies } from '../../../support/issuer-world.ts';

const HOUR = 3_600_000;
const SECOND = 1_000;
const RUNS = 20;

/** What may happen to an issuer. `key` is one of those that are there, counted round. */
type Event =
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'setClock'; readonly back: number }
  | { readonly kind: 'prepare' }
  | { readonly kind: 'activate' | 'retire'; readonly key: number; readonly atOnce: boolean }
  | { readonly kind: 'restart' }
  | { readonly kind: 'switchOff'; readonly ms: number }
  | { readonly kind: 'kill'; readonly before: number; readonly ms: number }
  | { readonly kind: 'outage'; readonly begins: boolean };

const duration = fc.oneof(
  fc.integer({ min: 2 * SECOND, max: 2 * HOUR }),
  fc.constantFrom(LIFETIME_MS, 12 * HOUR, DAY, DAY + 20 * 60 * SECOND, 10 * DAY, 30 * DAY),
);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: duration }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('setClock' as const), back: fc.constantFrom(0, HOUR, 2 * DAY, 40 * DAY) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('prepare' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('activate' as const, 'retire' as const),
      key: fc.nat(4),
      atOnce: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('switchOff' as const), ms: duration }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('kill' as const), before: fc.integer({ min: 1, max: 12 }), ms: duration }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('outage' as const), begins: fc.boolean() }) },
);

/** Follows one issuer through what happens to it, and looks after each event. */
class Story {
  readonly #world: IssuerWorld;
  #keys: FileKeys;
  readonly #tokens: IssuedToken[] = [];
  readonly #publishedSince = new Map<string, number>();
  /** Keys that may sign before their time, because somebody said so. */
  readonly #hurried = new Set<string>();
  /** Keys that somebody took away at once. */
  readonly #takenAway = new Set<string>();

  private constructor(world: IssuerWorld, keys: FileKeys) {
    this.#world = world;
    this.#keys = keys;
  }

  static async begin(world: IssuerWorld): Promise<Story> {
    const story = new Story(world, await world.open());
    for (const { kid } of story.#keys.published()) story.#hurried.add(kid);
    await story.look();
    return story;
  }

  async live(event: Event): Promise<void> {
    await this.#happens(event);
    await this.#world.pass(SECOND);
    await this.look();
  }

  async #happens(event: Event): Promise<void> {
    const world = this.#world;
    if (event.kind === 'pass') return world.pass(event.ms);
    if (event.kind === 'setClock') return world.setClock(-event.back);
    if (event.kind === 'outage') world.outage = event.begins ? new Error('the disk is full') : undefined;
    else if (event.kind === 'restart') await this.#restart(async () => {});
    else if (event.kind === 'switchOff') await this.#restart(async () => world.switchOff(event.ms));
    else if (event.kind === 'kill') await this.#kill(event.before, event.ms);
    else await this.#byHand(event);
  }

  /** While nothing can be put on record the gateway does not start; then the operator mends that first. */
  async #restart(meanwhile: () => Promise<void>): Promise<void> {
    await this.#keys.close();
    await meanwhile();
    this.#world.outage = undefined;
    this.#keys = await this.#world.open();
  }

  /** The process ends between two steps of whatever is due after `ms`, and another one takes over. */
  async #kill(before: number, ms: number): Promise<void> {
    const world = this.#world;
    await this.#restart(async () => {
      const doomed = await world.open(killedBefore(before, world.ground.folder)).catch(() => undefined);
      await world.pass(ms);
      await doomed?.close();
    });
  }

  async #byHand(event: Extract<Event, { kind: 'prepare' | 'activate' | 'retire' }>): Promise<void> {
    try {
      if (event.kind === 'prepare') await this.#world.byHand.prepare();
      else await this.#change(event);
    } catch (error) {
      assert.ok(error instanceof PlumblineError && error.code === 'ERR_INPUT_INVALID', String(error));
    }
  }

  async #change({ kind, key, atOnce }: Extract<Event, { kind: 'activate' | 'retire' }>): Promise<void> {
    const { byHand } = this.#world;
    const { keys } = await byHand.list();
    const { kid, state } = keys[key % keys.length] ?? assert.fail('there are always keys');
    const after = await byHand[kind](kid, { atOnce });
    if (kind === 'retire') this.#takenAway.add(kid);
    const isHurried = atOnce && (kind === 'activate' || state === 'active');
    for (const one of after.keys) if (isHurried && one.state === 'active') this.#hurried.add(one.kid);
  }

  async look(): Promise<void> {
    const keys = this.#keys;
    const now = this.#world.trueTime;
    const published = keys.published().map(({ kid }) => kid);
    assert.ok(published.length >= 1 && published.length <= 5, `${published.length} keys are published`);
    for (const kid of published) if (!this.#publishedSince.has(kid)) this.#publishedSince.set(kid, now);
    const token = await this.#world.issue(keys);
    this.#tokens.push(token);
    assert.ok(await verifies(token.token, keys, this.#world.clock.now()), 'what was issued now verifies');
    this.#wasPublishedLongEnough(token.keyId, now);
    for (const { token, keyId, expiresAt } of this.#tokens)
      if (expiresAt > now && !this.#takenAway.has(keyId))
        assert.ok(await verifies(token, keys, expiresAt - SECOND), 'what was issued before and is not over verifies');
  }

  #wasPublishedLongEnough(kid: string, now: number): void {
    const since = this.#publishedSince.get(kid) ?? assert.fail('it signs without being published');
    if (!this.#hurried.has(kid))
      assert.ok(now - since >= DAY - 2 * SECOND, `${kid} was published for ${now - since} ms`);
  }

  async end(): Promise<void> {
    // Each beginning is on record, in the order of a key's life.
    const order = ['prepared', 'activated', 'retired', 'removed'];
    const seen = new Map<string, number>();
    for (const { kid, result } of this.#world.recorded) {
      assert.ok(order.indexOf(result) >= (seen.get(kid) ?? 0), `${kid} was ${result} after it was more`);
      seen.set(kid, order.indexOf(result));
    }
    const signed = new Set(this.#tokens.map(({ keyId }) => keyId));
    for (const kid of signed)
      assert.ok(this.#world.recorded.some((one) => one.kid === kid && one.result === 'activated'));
    await this.#keys.close();
  }
}

describe('the life of the issuer’s keys', () => {
  for (const rotateEveryMs of [30 * DAY, 0])
    it(`keeps every token good and one key active, whatever happens (${rotateEveryMs ? 'by time' : 'by hand'})`, async function () {
      this.timeout(240_000);
      await fc.assert(
        fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 30 }), async (events) => {
          const world = new IssuerWorld({ rotateEveryMs });
          try {
            const story = await Story.begin(world);
            for (const one of events) await story.live(one);
            await story.end();
          } finally {
            world.remove();
          }
        }),
        { numRuns: RUNS },
      );
    });

  it('changes keys by time alone, each published for its time before and after', async () => {
    const world = new IssuerWorld();
    const keys = await world.open();
    for (let hours = 0; hours < 65 * 24; hours += 2) await world.pass(2 * HOUR);
    const days = world.recorded.map(({ kid, result, at }) => [kid, result, Math.floor((at - START) / DAY)] as const);
    const [first, second, third] = [...new Set(days.map(([kid]) => kid))];
    assert.deepEqual(days, [
      [first, 'activated', 0],
      [second, 'prepared', 29],
      [first, 'retired', 30],
      [second, 'activated', 30],
      [first, 'removed', 31],
      [third, 'prepared', 59],
      [second, 'retired', 60],
      [third, 'activated', 60],
      [second, 'removed', 61],
    ]);
    await keys.close();
    world.remove();
  });
});
