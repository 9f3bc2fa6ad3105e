import assert from 'node:assert/strict';
import type { AirflowApi } from '#engines/airflow/airflow-api.ts';
import { handOnResults } from '#steps/run-airflow/hand-on-results.ts';
import { recordingHost } from '../../../support/recording-host.ts';

const REF = { id: 'plumbline-1', engine: 'airflow', handle: 'daily/plumbline-1' };
const signal = new AbortController().signal;

describe('results that are handed on', () => {
  it('are empty, each with a warning, when Airflow does not give them: the run itself was good', async () => {
    const host = recordingHost({});
    const away = () => Promise.reject(new Error('away'));
    const api = { taskInstances: away, xcom: away };
    const wanted = [
      { name: 'rows', task: 'load' },
      { name: 'day', task: 'extract.day' },
    ];
    const findings = await handOnResults(api as Partial<AirflowApi> as AirflowApi, REF, wanted, host, signal);
    assert.deepEqual(
      findings.map(({ severity, code, message }) => [severity, code, /result_\w+/.exec(message)?.[0]]),
      [
        ['warning', 'ERR_RUN_RESULT_MISSING', 'result_rows'],
        ['warning', 'ERR_RUN_RESULT_MISSING', 'result_day'],
      ],
    );
    assert.deepEqual(
      [...host.outputs],
      [
        ['result_rows', ''],
        ['result_day', ''],
      ],
    );
  });

  it('ask nobody when none are wanted', async () => {
    assert.deepEqual(await handOnResults({} as AirflowApi, REF, [], recordingHost({}), signal), []);
  });
});
