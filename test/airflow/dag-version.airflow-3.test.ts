import assert from 'node:assert/strict';
import { type AirflowCase, describeAirflowCases, green } from '../support/airflow/airflow-cases.ts';
import type { AirflowUnderTest } from '../support/airflow/airflow-under-test.ts';
import { VERSIONED_DAG } from '../support/airflow/dag-repository.ts';

/** A commit that Airflow learns of while the step waits for it, as it does after a push. */
let commit = '';

const CASES: readonly AirflowCase[] = [
  {
    title: 'dagVersion: the run waits until its commit is parsed, and is of that commit',
    dag: VERSIONED_DAG,
    prepare: async (airflow) => {
      await airflow.truth.parsed([VERSIONED_DAG]);
      commit = repositoryOf(airflow).commit('second');
    },
    get inputs() {
      return { dagVersion: commit, results: 'told: tell' };
    },
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.equal(step.output('result_told'), 'second');
      const { body } = await airflow.truth.ask<{ bundle_version: string }>(
        'GET',
        `/dags/${VERSIONED_DAG}/dagRuns/${step.output('dagRunId')}`,
      );
      assert.equal(body.bundle_version, commit);
    },
  },
];

function repositoryOf({ repository }: AirflowUnderTest): NonNullable<AirflowUnderTest['repository']> {
  assert.ok(repository, 'this Airflow has no bundle with versions');
  return repository;
}

describeAirflowCases('RunAirflow@1: versions of DAGs, from a GitDagBundle', CASES);
