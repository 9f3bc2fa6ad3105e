import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pythonOf } from '../../../scripts/python-environments.mjs';
import { ROOT } from '../../../scripts/repository.ts';
import type { AirflowLine } from '../../../scripts/start-airflow.ts';

/** A DAG that comes with Airflow and needs no service outside of it. */
export interface AirflowExample {
  /** Without `.py`; in `airflow/example_dags`, or in those of the standard provider. */
  readonly file: string;
  readonly dag: string;
  /** @default succeeded */
  readonly ends?: 'failed';
  readonly conf?: string;
}

const BOTH: readonly AirflowExample[] = [
  { file: 'example_display_name', dag: 'example_display_name' },
  { file: 'example_dynamic_task_mapping', dag: 'example_dynamic_task_mapping' },
  {
    file: 'example_dynamic_task_mapping_with_no_taskflow_operators',
    dag: 'example_dynamic_task_mapping_with_no_taskflow_operators',
  },
  { file: 'example_params_trigger_ui', dag: 'example_params_trigger_ui', conf: '{"names": ["Ada", "Grace"]}' },
  { file: 'example_setup_teardown_taskflow', dag: 'example_setup_teardown_taskflow' },
  { file: 'example_short_circuit_operator', dag: 'example_short_circuit_operator' },
  { file: 'example_task_group', dag: 'example_task_group' },
  { file: 'example_trigger_target_dag', dag: 'example_trigger_target_dag', conf: '{"message": "from a pipeline"}' },
  { file: 'example_xcomargs', dag: 'example_xcom_args' },
  { file: 'tutorial_dag', dag: 'tutorial_dag' },
  { file: 'tutorial_taskflow_api', dag: 'tutorial_taskflow_api' },
];

/** Those with network, virtual environments, a cluster, or a schedule of their own that starts runs beside ours are left out. */
export const AIRFLOW_EXAMPLES: Readonly<Record<AirflowLine, readonly AirflowExample[]>> = {
  '3': [
    ...BOTH,
    { file: 'example_failed_dag', dag: 'example_failed_dag', ends: 'failed' },
    { file: 'example_simplest_dag', dag: 'example_simplest_dag' },
  ],
  '2.11': [...BOTH, { file: 'example_sensor_decorator', dag: 'example_sensor_decorator' }],
};

/** The text of an example in the installed package. */
export function exampleText(line: AirflowLine, file: string): string {
  const packages = packagesOf(line);
  const paths = ['airflow/example_dags', 'airflow/providers/standard/example_dags'].map((folder) =>
    join(packages, folder, `${file}.py`),
  );
  const path = paths.find((one) => existsSync(one));
  if (path === undefined) throw new Error(`Airflow ${line} has no example ${file}`);
  return readFileSync(path, 'utf8');
}

function packagesOf(line: AirflowLine): string {
  const script = 'import sysconfig; print(sysconfig.get_paths()["purelib"])';
  return execFileSync(pythonOf(ROOT, `airflow-${line}`), ['-I', '-c', script], { encoding: 'utf8' }).trim();
}
