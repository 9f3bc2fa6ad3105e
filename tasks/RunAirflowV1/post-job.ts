import { runTask } from '#host/run-task.ts';
import { stopLeftRun } from '#steps/run-airflow/post-job.ts';

void runTask(stopLeftRun);
