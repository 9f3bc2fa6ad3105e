import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { runCaller } from '#gateway/auth/run-caller.ts';
import { isRunToken, runTokens } from '#gateway/auth/run-tokens.ts';
import { usedUpBy } from '#gateway/auth/token-ledger.ts';
import { handClock } from '../../../support/hand-clock.ts';
import { failure } from '../../../support/plumbline-failure.ts';
import { sha256 } from '../../../support/test-issuer.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const RUN = '0199a7d2-8c5e-7a01-9d3b-5f8c2e1a4b60';
const OTHER_RUN = '0199a7d2-8c5e-7a01-9d3b-5f8c2e1a4b61';
const SCOPE = 'a'.repeat(64);
const KEY = new Secret('k'.repeat(43));
const scopeOf = (runId: string) => (runId === RUN || runId === OTHER_RUN ? SCOPE : undefined);
const untrusted = failure('ERR_TOKEN_UNTRUSTED', /no run token of this gateway/);

describe('run tokens', () => {
  const clock = handClock(NOW);
  const tokens = runTokens(KEY, clock);
  const text = tokens.issue(RUN, SCOPE, NOW + 60_000);

  it('are for one run of one caller until they end', async () => {
    assert.ok(isRunToken(text));
    assert.deepEqual(await tokens.verify(text, scopeOf), {
      runId: RUN,
      scope: SCOPE,
      expiresAt: NOW + 60_000,
      tokenHash: sha256(text),
    });
    const late = runTokens(KEY, handClock(NOW + 60_000));
    await assert.rejects(late.verify(text, scopeOf), failure('ERR_TOKEN_EXPIRED', /its time is over/));
  });

  it('are refused for another run, another end, another creator, another key and a run that is not there', async () => {
    const [, runPart = '', ends = '', code = ''] = /^plr_(.+)\.(\d+)\.(.+)$/.exec(text) ?? [];
    for (const other of [
      `plr_${OTHER_RUN}.${ends}.${code}`,
      `plr_${runPart}.${Number(ends) + 1}.${code}`,
      `plr_${runPart}.${ends}.${'A'.repeat(43)}`,
    ])
      await assert.rejects(tokens.verify(other, scopeOf), untrusted);
    await assert.rejects(
      tokens.verify(text, () => 'b'.repeat(64)),
      untrusted,
    );
    await assert.rejects(
      tokens.verify(text, () => undefined),
      untrusted,
    );
    await assert.rejects(runTokens(new Secret('x'.repeat(43)), clock).verify(text, scopeOf), untrusted);
    const none = tokens.issue(RUN, '', NOW + 60_000);
    await assert.rejects(
      tokens.verify(none, () => undefined),
      untrusted,
    );
  });

  it('have one spelling', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(text.slice(-1));
    for (const other of [
      text.slice(0, -1) + alphabet[last ^ 1],
      `${text}=`,
      `${text}\n`,
      ` ${text}`,
      text.toUpperCase(),
      text.replace(`.${NOW + 60_000}.`, `.0${NOW + 60_000}.`),
      text.replace(`.${NOW + 60_000}.`, `.${NOW + 60_000}.0.`),
    ])
      await assert.rejects(tokens.verify(other, scopeOf), untrusted, other);
  });

  it('whatever is sent as one is refused in a known way', () =>
    fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (tail) => {
        const thrown = await tokens.verify(`plr_${tail}`, scopeOf).catch((error: unknown) => error);
        assert.ok(thrown instanceof PlumblineError && thrown.details['reason'] === 'run-token');
      }),
    ));

  it('make a caller for this run alone, who uses nothing up', async () => {
    const caller = runCaller(await tokens.verify(text, scopeOf));
    assert.deepEqual([caller.use, caller.runId, caller.scope, caller.signed], ['run', RUN, SCOPE, {}]);
    assert.deepEqual(usedUpBy(caller), []);
    assert.ok(!JSON.stringify(caller).includes(text.slice(-43)));
  });

  it('need a key that nobody guesses', () => {
    assert.throws(() => runTokens(new Secret('short'), clock), TypeError);
  });
});
