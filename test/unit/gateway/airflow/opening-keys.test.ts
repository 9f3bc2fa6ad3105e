import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import { OpeningKeys } from '#gateway/airflow/opening-keys.ts';
import type { SigningKeys } from '#gateway/issuer/signing-keys.ts';
import { eventually } from '../../../support/eventually.ts';
import { handClock } from '../../../support/hand-clock.ts';
import { failure } from '../../../support/plumbline-failure.ts';

describe('keys for an Airflow that cannot be opened', () => {
  const log = { info: () => {}, error: () => {} };

  it('are none, say why, and are tried again', async () => {
    const clock = handClock(0);
    let trouble: string | undefined = 'others may use it';
    let closed = 0;
    const real: SigningKeys = {
      published: () => [{ kid: 'k' }],
      sign: async (textOf) => ({ kid: 'k', bytes: Buffer.from(textOf('k')) }),
      problem: () => 'the vault is away',
      close: async () => {
        closed += 1;
      },
    };
    const open = async () => {
      if (trouble !== undefined) throw new PlumblineError('ERR_FILE_UNREADABLE', trouble);
      return real;
    };
    const keys = await OpeningKeys.open(open, { clock, log });
    assert.deepEqual([keys.published(), keys.problem()], [[], 'others may use it']);
    await assert.rejects(
      keys.sign((kid) => kid),
      failure('ERR_ISSUER_UNAVAILABLE', /others may use it/),
    );
    trouble = undefined;
    await eventually(() => clock.sleeping === 1, 'it waits');
    clock.move(5_000);
    await eventually(() => keys.published().length === 1, 'its keys');
    assert.equal(keys.problem(), 'the vault is away');
    assert.equal((await keys.sign((kid) => `${kid}!`)).bytes.toString(), 'k!');
    await keys.close();
    assert.equal(closed, 1);
  });

  it('are let go when the gateway stops', async () => {
    const open = () => Promise.reject(new PlumblineError('ERR_FILE_UNREADABLE', 'it is not there'));
    const keys = await OpeningKeys.open(open, { clock: handClock(0), log });
    await keys.close();
  });
});
