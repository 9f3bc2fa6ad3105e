import assert from 'node:assert/strict';
import { Secret } from '#core/secret.ts';
import { workerTokens } from '#gateway/auth/worker-tokens.ts';
import { identifyCaller } from '#gateway/luigid/identify-caller.ts';
import type { Worker } from '#gateway/workers/worker.ts';
import { callerNamed } from '../app/gateway-world.ts';

const RUN = '0199a7d2-8c5e-7a01-9d3b-5f8c2e1a4b60';
const TOKENS = workerTokens(new Secret('k'.repeat(43)));
const caller = callerNamed('good');
const OF_A_RUN: Worker = { id: `${RUN}.1`, kind: 'run', runId: RUN, attempt: 1, caller, role: 'etl' };
const ELSEWHERE: Worker = { ...OF_A_RUN, id: `${RUN}.0`, kind: 'stock', attempt: 0 };
const OWN = 61_001;
const SOURCES: Parameters<typeof identifyCaller>[3] = {
  workers: {
    find: (id) => [OF_A_RUN, ELSEWHERE].find((worker) => worker.id === id),
    uidOf: ({ kind }) => (kind === 'run' ? OWN : undefined),
    decide: () => ({ allowed: true, wouldAllow: true, mode: 'enforce', reasons: [], policy: 'a'.repeat(64) }),
  },
  tokens: TOKENS,
  policy: () => ({ anonymous: () => assert.fail('nobody is anonymous on a socket'), namespacesOf: () => [] }),
  visitors: { visitorOf: () => assert.fail('nobody has a session on a socket') },
  clock: { now: () => 0 },
};

describe('who calls luigid by a socket of workers', () => {
  const by = (uid: number, authorization?: string) =>
    identifyCaller({ headers: { authorization, cookie: 'a=b' } }, { uid }, '', SOURCES);
  const basic = ({ id }: Worker) => `Basic ${Buffer.from(`${id}:${TOKENS.schedulerPassword(id)}`).toString('base64')}`;
  const bearer = ({ id }: Worker) => `Bearer ${TOKENS.issue(id)}`;

  it('is a worker that runs as the user of the socket', () => {
    for (const credential of [bearer(OF_A_RUN), basic(OF_A_RUN)]) {
      const known = by(OWN, credential);
      assert.equal(known.kind === 'worker' && known.worker, OF_A_RUN);
    }
  });

  it('is nobody with the credential of a worker that runs as another user, or elsewhere', () => {
    const cases = [
      [61_002, OF_A_RUN],
      [0, OF_A_RUN],
      [OWN, ELSEWHERE],
    ] as const;
    for (const [uid, worker] of cases)
      for (const credential of [bearer(worker), basic(worker)]) {
        const refused = by(uid, credential);
        assert.ok(refused.kind === 'refused');
        const { problem, badCredential, workerId } = refused;
        assert.deepEqual(
          [problem.code, problem.facts.reason, badCredential, workerId],
          ['worker-unknown', 'other-user', true, worker.id],
        );
      }
  });

  it('is nobody without a credential', () => {
    const refused = by(OWN);
    assert.ok(refused.kind === 'refused');
    assert.equal(refused.problem.code, 'sign-in-needed');
  });
});
