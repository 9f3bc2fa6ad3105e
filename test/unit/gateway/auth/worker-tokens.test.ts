import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { runTokens } from '#gateway/auth/run-tokens.ts';
import { isWorkerToken, workerTokens } from '#gateway/auth/worker-tokens.ts';
import { failure } from '../../../support/plumbline-failure.ts';

const RUN = '0199a7d2-8c5e-7a01-9d3b-5f8c2e1a4b60';
const KEY = new Secret('k'.repeat(43));
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const untrusted = failure('ERR_TOKEN_UNTRUSTED', /no worker token of this gateway/);

describe('worker tokens', () => {
  const tokens = workerTokens(KEY);
  const token = tokens.issue(`${RUN}.1`);
  const password = tokens.schedulerPassword(`${RUN}.1`);

  it('name the worker that they are for', () => {
    assert.ok(isWorkerToken(token));
    assert.equal(tokens.verify(token), `${RUN}.1`);
    assert.equal(tokens.verify(tokens.issue(`${RUN}.0`)), `${RUN}.0`);
    assert.equal(workerTokens(KEY).issue(`${RUN}.1`), token);
  });

  it('are refused for another worker, with another code, of another key and in another spelling', () => {
    const last = ALPHABET.indexOf(token.slice(-1));
    const others = [
      token.replace('.1.', '.2.'),
      token.replace('.1.', '.01.'),
      token.replace('4b60', '4b61'),
      `plw_${RUN}.1.${'A'.repeat(43)}`,
      workerTokens(new Secret('x'.repeat(43))).issue(`${RUN}.1`),
      token.slice(0, -1) + ALPHABET[last ^ 1],
      `${token}=`,
      `${token}\n`,
      ` ${token}`,
      token.toUpperCase(),
      token.slice(4),
      '',
    ];
    for (const other of others) assert.throws(() => tokens.verify(other), untrusted, other);
  });

  it('are worth nothing as a password or a run token, and a password is no token', async () => {
    assert.throws(() => tokens.verify(`plw_${RUN}.1.${password.slice(4)}`), untrusted);
    assert.throws(() => tokens.verify(password), untrusted);
    assert.ok(!tokens.isSchedulerPassword(`${RUN}.1`, `pls_${token.slice(-43)}`));
    const run = runTokens(KEY, { now: () => 0 });
    await assert.rejects(
      run.verify(token, () => 'scope'),
      failure('ERR_TOKEN_UNTRUSTED', /no run token/),
    );
    assert.throws(() => tokens.verify(run.issue(RUN, 'scope', 1_700_000_000_000)), untrusted);
  });

  it('have a password for each worker alone', () => {
    assert.ok(tokens.isSchedulerPassword(`${RUN}.1`, password));
    for (const [id, text] of [
      [`${RUN}.2`, password],
      [`${RUN}.1:suffix`, password],
      ['', password],
      [`${RUN}.1`, password.slice(0, -1)],
      [`${RUN}.1`, ''],
      [`${RUN}.1`, token],
    ] as const)
      assert.ok(!tokens.isSchedulerPassword(id, text), id);
  });

  it('whatever is sent as one is refused in a known way', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (head, tail) => {
        assert.ok(!tokens.isSchedulerPassword(head, tail));
        assert.throws(
          () => tokens.verify(`plw_${head}.${tail}`),
          (thrown) => thrown instanceof PlumblineError && thrown.details['reason'] === 'worker-token',
        );
      }),
    ));

  it('are made for workers alone, with a key that nobody guesses', () => {
    for (const id of ['', RUN, `${RUN}.-1`, `${RUN}.1:x`, `${RUN.toUpperCase()}.1`])
      assert.throws(() => tokens.issue(id), TypeError, id);
    assert.throws(() => workerTokens(new Secret('short')), TypeError);
  });
});
