import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import type { RunState } from '#core/run.ts';
import { stopRemoteRun } from '#steps/stop-remote-run.ts';
import { recordingHost } from '../../support/recording-host.ts';

const signal = new AbortController().signal;

/** An engine with runs of the key in these states, the newest last. */
function engineWith(states: readonly RunState[], answer: 'stopped' | 'requested' = 'stopped') {
  const cancelled: string[] = [];
  const ids = states.map((_, i) => (i === 0 ? 'key' : `key~${i + 1}`));
  return {
    cancelled,
    find: async (id: string) => {
      const state = states[ids.indexOf(id)];
      return state && { ref: { id, engine: 'memory', handle: id }, state, attempt: '1' };
    },
    cancel: async ({ id }: { id: string }) => {
      cancelled.push(id);
      return answer;
    },
  };
}

describe('a run that a step left behind', () => {
  const stop = async (engine: ReturnType<typeof engineWith>) => {
    const { message } = await stopRemoteRun('key', 'in Airflow', () => engine, recordingHost({}), signal);
    return [message, engine.cancelled];
  };

  it('is stopped, the newest one only', async () => {
    const said = 'The run in Airflow was still going and has been stopped.';
    assert.deepEqual(await stop(engineWith(['failed', 'running'])), [said, ['key~2']]);
    assert.deepEqual(await stop(engineWith(['queued'])), [said, ['key']]);
  });

  it('is looked at again when the step had asked it to stop and did not see the end', async () => {
    assert.deepEqual(await stop(engineWith(['cancelled'])), [
      'The run in Airflow was asked to stop before, and has.',
      ['key'],
    ]);
    const winding = 'The run in Airflow was asked to stop and is still winding down.';
    assert.deepEqual(await stop(engineWith(['cancelled'], 'requested')), [winding, ['key']]);
  });

  it('is left alone when it ended by itself, or never was', async () => {
    assert.deepEqual(await stop(engineWith([])), ['There is no run in Airflow that could be stopped.', []]);
    for (const states of [['succeeded'], ['failed']] as const) {
      assert.deepEqual(await stop(engineWith(states)), ['The run in Airflow has ended by itself.', []]);
    }
  });

  it('is told of when nobody could stop it', async () => {
    const host = recordingHost({});
    const away = () => Promise.reject(new PlumblineError('ERR_AIRFLOW_UNAVAILABLE', 'Airflow is away'));
    const { result, message } = await stopRemoteRun('key', 'in Airflow', away, host, signal);
    assert.equal(result, 'SucceededWithIssues');
    assert.match(message, /key in Airflow could not be stopped and may still be going: Airflow is away/);
    assert.equal(host.issues[0]?.type, 'warning');
  });
});
