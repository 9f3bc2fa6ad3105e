import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { VaultVersion } from '#gateway/issuer/vault-client.ts';
import { selectVersions, stateOf } from '#gateway/issuer/vault-selection.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-21T10:00:00Z');
const times = { publishForMs: DAY, lifetimeMs: 600_000 };

const hours = (least: number, most: number) => fc.integer({ min: least, max: most }).map((count) => NOW + count * HOUR);
const version = fc.record({
  created: hours(-24 * 90, 2),
  notBefore: fc.option(hours(-48, 48), { nil: undefined }),
  expires: fc.option(hours(-48, 24 * 60), { nil: undefined }),
});
const versions = fc
  .array(version, { maxLength: 12 })
  .map((all) => all.map((one, i): VaultVersion => ({ ...one, id: `v${i}`, jwk: { kid: `k${i}` } })));
const select = (all: readonly VaultVersion[], now = NOW, signing?: string) =>
  selectVersions(all, { times, now, seenSince: new Map(), signing });
const canSign = ({ notBefore = 0, expires = Number.POSITIVE_INFINITY }: VaultVersion, now = NOW) =>
  notBefore <= now && expires - now > times.lifetimeMs + 600_000;

describe('versions of a key in a vault', () => {
  it('are published while they are valid, five at most, the newest and the one that signs', () => {
    fc.assert(
      fc.property(versions, (all) => {
        const { signing, published } = select(all);
        const valid = all.filter(({ expires = Number.POSITIVE_INFINITY }) => expires > NOW);
        assert.equal(published.length, Math.min(5, valid.length));
        assert.ok(published.every((one) => valid.includes(one)));
        assert.ok(signing === undefined || published.includes(signing));
        const oldest = Math.min(...published.filter((one) => one !== signing).map(({ created }) => created));
        for (const one of valid) assert.ok(published.includes(one) || one.created <= oldest);
      }),
    );
  });

  it('sign when they are old enough and their tokens do not outlive them, the newest of them', () => {
    fc.assert(
      fc.property(versions, (all) => {
        const { signing } = select(all);
        const able = all.filter((one) => canSign(one));
        const ready = able.filter(({ created }) => NOW - created >= DAY);
        if (signing === undefined) return assert.deepEqual(able, []);
        assert.ok(able.includes(signing));
        if (ready.length > 0) assert.equal(signing.created, Math.max(...ready.map(({ created }) => created)));
        else assert.equal(signing.created, Math.min(...able.map(({ created }) => created)));
      }),
    );
  });

  it('do not change back when the clock is set back', () => {
    fc.assert(
      fc.property(versions, fc.integer({ min: 0, max: 200 * DAY }), (all, back) => {
        const { signing } = select(all);
        if (signing === undefined || !canSign(signing, NOW - back)) return;
        const after = select(all, NOW - back, signing.id);
        assert.ok((after.signing?.created ?? 0) >= signing.created);
      }),
    );
  });

  it('wait for as long as others cannot have seen them, when they came while nobody could ask the vault', () => {
    const [old, late] = [
      { id: 'old', jwk: { kid: 'old' }, created: NOW - 90 * DAY },
      { id: 'late', jwk: { kid: 'late' }, created: NOW - 3 * DAY },
    ];
    const at = (now: number) =>
      selectVersions([old, late], { times, now, seenSince: new Map([['late', NOW]]), signing: 'old' }).signing?.id;
    assert.deepEqual([at(NOW), at(NOW + DAY - 1), at(NOW + DAY)], ['old', 'old', 'late']);
  });

  it('are prepared before the one that signs and retired behind it; one that signs alone', () => {
    fc.assert(
      fc.property(versions, (all) => {
        const selection = select(all);
        const states = selection.published.map((one) => stateOf(one, selection));
        const active = states.filter((state) => state === 'active').length;
        assert.equal(active, selection.signing === undefined ? 0 : 1);
        const order = ['prepared', 'active', 'retired'];
        const ranks = states.map((state) => order.indexOf(state));
        assert.deepEqual(ranks, ranks.toSorted());
      }),
    );
  });
});
