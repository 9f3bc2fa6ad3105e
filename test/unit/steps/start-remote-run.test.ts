import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import type { RunState } from '#core/run.ts';
import type { Engine } from '#engines/engine.ts';
import { RemoteRunMarks } from '#steps/remote-run-marks.ts';
import { startRemoteRun } from '#steps/start-remote-run.ts';
import { recordingHost } from '../../support/recording-host.ts';

const REQUEST = { id: 'key', attempt: '1' };
const nobody = () => assert.fail('nobody asks for this');

function engineWith(state: RunState | undefined, start: () => Promise<never>): Engine<typeof REQUEST> {
  const ref = { id: 'key', engine: 'memory', handle: 'key' };
  return {
    name: 'memory',
    capabilities: { survivesCaller: true, taskLogs: false, staticGraph: false },
    find: async (id) => (state && id === 'key' ? { ref, state, attempt: '1' } : undefined),
    start,
    follow: nobody,
    cancel: nobody,
    graph: nobody,
  };
}

describe('what the end of a cancelled job stops, when the start did not come to its end', () => {
  async function leftBy(engine: Engine<typeof REQUEST>) {
    const host = recordingHost({ variables: { 'Agent.JobStatus': 'Canceled' } });
    const marks = new RemoteRunMarks(host.memory);
    const signal = new AbortController().signal;
    await assert.rejects(startRemoteRun(engine, REQUEST, 'fail', { marks, signal }));
    return RemoteRunMarks.toStop(host);
  }

  it('is not the run of an earlier attempt that this one refused to take over', async () => {
    assert.equal(await leftBy(engineWith('running', nobody)), undefined);
  });

  it('is nothing when the engine refused the run', async () => {
    const refused = () => Promise.reject(new PlumblineError('ERR_DAG_PAUSED', 'The DAG is paused'));
    assert.equal(await leftBy(engineWith(undefined, refused)), undefined);
  });

  it('is the run that may have been started when nobody knows', async () => {
    const away = () => Promise.reject(new PlumblineError('ERR_AIRFLOW_UNAVAILABLE', 'No answer'));
    assert.equal(await leftBy(engineWith(undefined, away)), 'key');
  });
});
