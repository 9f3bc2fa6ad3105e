import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import type { Provenance } from '#core/provenance.ts';
import { leaveRemoteRun } from '#steps/leave-remote-run.ts';
import { RemoteRunMarks } from '#steps/remote-run-marks.ts';
import { recordingHost } from '../../support/recording-host.ts';

const ref = { id: 'key', engine: 'memory', handle: 'key' };
const provenance = { run: { url: 'https://dev.azure.com/run/17' } } as Provenance;

describe('a run that is not waited for', () => {
  it('is there, also when nobody tells any more how it stands', async () => {
    const host = recordingHost({});
    const engine = {
      name: 'memory',
      find: () => Promise.reject(new PlumblineError('ERR_AIRFLOW_UNAVAILABLE', 'Airflow is away')),
      follow: () => assert.fail('nobody follows'),
      cancel: () => assert.fail('nobody cancels'),
    };
    const marks = new RemoteRunMarks(host.memory);
    const run = { engine, ref, where: 'in Airflow', address: 'https://airflow.example/dags/d' };
    const { signal } = new AbortController();
    const { result } = await leaveRemoteRun(run, { host, signal, marks }, provenance);
    assert.deepEqual([result, host.outputs.get('runState')], ['Succeeded', 'queued']);
    assert.ok(host.lines.some((line) => line.includes('Airflow is away')));
  });
});
