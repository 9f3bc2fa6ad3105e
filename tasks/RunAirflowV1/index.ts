import { runTask } from '#host/run-task.ts';
import { runAirflow } from '#steps/run-airflow/run-airflow.ts';

void runTask(runAirflow);
