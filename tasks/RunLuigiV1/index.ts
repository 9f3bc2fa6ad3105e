import { runTask } from '#host/run-task.ts';
import { runLuigi } from '#steps/run-luigi/run-luigi.ts';

void runTask(runLuigi);
